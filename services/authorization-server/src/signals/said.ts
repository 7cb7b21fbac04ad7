import { toNumericDate } from "@remit/kernel";
import type { Recorded } from "@remit/platform/outbox";
import type { EventType, InstructionOp, SignalName, SubjectId } from "@remit/protocol";
import { dataOf } from "@remit/protocol/contracts";
import { opaque } from "./subjects.ts";

/** What an event says to receivers. */
export type Said = {
  readonly name: SignalName;
  readonly subject: SubjectId;
  readonly data: { readonly [name: string]: unknown };
};

/** Remit's own signals, by the event that they tell of. */
const named = {
  "agent.decommissioned": "oid4ac.agent.decommissioned",
  "agent.resumed": "oid4ac.agent.resumed",
  "agent.suspended": "oid4ac.agent.suspended",
  "charge.authorized": "oid4ac.payment.authorized",
  "charge.captured": "oid4ac.payment.succeeded",
  "charge.declined": "oid4ac.payment.declined",
  "charge.refund_refused": "oid4ac.payment.refund_refused",
  "charge.refunded": "oid4ac.payment.refunded",
  "charge.released": "oid4ac.payment.released",
  "delegation.revoked": "oid4ac.delegation.revoked",
  "dispute.answered": "oid4ac.dispute.answered",
  "dispute.lost": "oid4ac.dispute.lost",
  "dispute.opened": "oid4ac.dispute.opened",
  "dispute.reported": "oid4ac.dispute.reported",
  "dispute.withdrawn": "oid4ac.dispute.withdrawn",
  "dispute.won": "oid4ac.dispute.won",
  "mandate.exhausted": "oid4ac.mandate.exhausted",
  "mandate.expired": "oid4ac.mandate.expired",
  "mandate.issued": "oid4ac.mandate.issued",
  "mandate.narrowed": "oid4ac.mandate.narrowed",
  "mandate.resumed": "oid4ac.mandate.resumed",
  "mandate.revoked": "oid4ac.mandate.revoked",
  "mandate.suspended": "oid4ac.mandate.suspended",
  "security.code_replay": "oid4ac.security.code_replay",
  "security.refresh_replay": "oid4ac.security.refresh_replay",
} as const satisfies Partial<Record<EventType, SignalName>>;

/** What of a charge's money a signal is about: the row that a receiver looks up. */
const operations: Partial<Record<EventType, InstructionOp>> = {
  "charge.authorized": "hold",
  "charge.captured": "capture",
  "charge.declined": "hold",
  "charge.refund_refused": "refund",
  "charge.refunded": "refund",
  "charge.released": "release",
};

/** CAEP 1.0 §3.3: what became of an agent's credential. */
const credentialChanges: Partial<Record<EventType, "create" | "revoke" | "update">> = {
  "credential.created": "create",
  "credential.revoked": "revoke",
  "credential.rotated": "update",
};

const isNamed = (type: EventType): type is keyof typeof named => Object.hasOwn(named, type);

/** What an event of an organization's log says; undefined of one that nobody is told of. */
export function saidBy(event: Recorded): Said | undefined {
  const { type, subject } = event;
  if (isNamed(type)) return { name: named[type], subject: opaque(subject), data: dataOfOwn(event) };
  const change = credentialChanges[type];
  return change === undefined ? undefined : credentialSaid(event, change);
}

/** The members that webhooks tell as well; what a payload does not know it does not say. */
function dataOfOwn(event: Recorded): Said["data"] {
  const { type, tenant, subject, at, payload } = event;
  const { generation, ...rest } = dataOf(type, payload);
  const operation = operations[type];
  const known = Object.fromEntries(Object.entries(rest).filter(([, value]) => value !== null));
  return {
    organization_id: tenant,
    event_timestamp: toNumericDate(at),
    ...known,
    ...(operation === undefined ? {} : { charge: subject, operation, ordinal: generation }),
  };
}

function credentialSaid(
  { at, payload: { agent, kind } }: Recorded,
  change: "create" | "revoke" | "update",
): Said | undefined {
  if (typeof agent !== "string" || typeof kind !== "string") return undefined;
  const data = { event_timestamp: toNumericDate(at), credential_type: kind, change_type: change };
  return { name: "caep.credential-change", subject: opaque(agent), data };
}
