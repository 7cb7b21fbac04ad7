import { z } from "zod";
import type { EventPayload, EventType } from "../events.ts";

// What the events of a type tell, for those who receive them as webhooks: ids, digests, amounts and codes.

const id = z.string();
const text = z.string();
const count = z.int();
const texts = z.array(z.string());
const one = <T extends z.ZodType>(schema: T) => schema.nullable();
const told = <S extends z.ZodRawShape>(shape: S): z.ZodObject<S> => z.object(shape);

const nothing = told({});
const passkey = told({ passkey: id });
const standing = told({ agent: id, from: text, to: text });
const mandateChange = told({ agent: id, from: text, because: text });
const braked = told({ agent: one(id), mandates: count });
const charge = { mandate: id, generation: count };
const payment = told({
  charge: id,
  generation: count.optional(),
  rail: text.optional(),
  amount_minor: count.optional(),
  captured_minor: count.optional(),
  refunded_minor: count.optional(),
  currency: text.optional(),
  reference: one(text).optional(),
  decline_code: one(text).optional(),
  refund: id.optional(),
});
const merchant = told({ origin: text, client_id: id, kids: texts });
const partner = told({ issuer: text, status: text });
const trust = told({ kind: text, client: id, status: text, scope: text, bearer: z.boolean() });
const webhook = told({ events: texts, active: z.boolean() });

const invoice = told({
  /** None of a plan. */
  merchant: id.nullable(),
  month: text,
  kind: text,
  state: text,
  currency: text,
  total_minor: count,
  due_minor: count,
});

const dispute = told({
  charge: id,
  merchant: id,
  origin: text,
  reason: text,
  because: one(text),
  amount_minor: count,
  currency: text,
});

const stream = told({ method: text, status: text, events: texts });

const tab = told({
  mandate: id,
  merchant: id,
  generation: count,
  amount_minor: count,
  currency: text,
  payment: one(id),
  because: one(text),
});

const schemas: Partial<Record<EventType, z.ZodObject>> = {
  "account.app_added": nothing,
  "account.app_removed": nothing,
  "account.created": nothing,
  "account.passkey_added": passkey,
  "account.passkey_removed": passkey,
  "account.passkey_renamed": passkey,
  "account.password_changed": nothing,
  "account.password_removed": nothing,
  "account.purged": told({ mandates: count }),
  "account.recovered": told({ by: text }),
  "account.recovery_code_used": nothing,
  "account.recovery_codes_made": nothing,
  "agent.changed": told({ agent: id, members: texts }),
  "agent.decommissioned": standing,
  "agent.registered": told({ agent: id, dpop_thumbprint: one(text) }),
  "agent.resumed": standing,
  "agent.suspended": standing,
  "approval.answered": told({ agent: id, state: text, mandate: one(id), step_up: z.boolean() }),
  "approval.asked": told({ agent: id, principal: id, kind: text, group: one(text), times: count }),
  "billing_profile.changed": told({ tax_basis_points: count, reverse_charge: z.boolean(), due_days: count }),
  "charge.authorized": told({ ...charge, payment: id.optional() }),
  "charge.authorizing": told({ ...charge, approval: id }),
  "charge.amended": told({ ...charge, amount_minor: count, former_minor: count, offer_digest: text }),
  "charge.captured": told({
    ...charge,
    amount_minor: count,
    currency: text,
    receipt: id,
    receipt_leaf: text,
    payment: id.optional(),
  }),
  "charge.capturing": told({ ...charge, amount_minor: count, response_digest: one(text) }),
  "charge.committed": told(charge),
  "charge.declined": told({ ...charge, because: text }),
  "charge.expired": told({ ...charge, approval: id }),
  "charge.held": told({
    ...charge,
    agent: id,
    merchant: id,
    amount_minor: count,
    currency: text,
    rail: text,
    offer_digest: text,
    mandate_hash: text,
    presentation_hash: text,
  }),
  "charge.pending_approval": told({
    ...charge,
    approval: id,
    kind: text,
    because: text,
    approve_by: count,
    amount_minor: count,
    currency: text,
  }),
  "charge.refund_failed": told({
    ...charge,
    refund: id,
    amount_minor: count,
    refunded_minor: count,
    budget_minor: count,
  }),
  "charge.refund_refused": told({ ...charge, refund: id, amount_minor: count, because: text }),
  "charge.refunded": told({ ...charge, refund: id, amount_minor: count, refunded_minor: count }),
  "charge.refunding": told({ ...charge, refund: id, amount_minor: count }),
  "charge.released": told({ ...charge, because: text, amount_minor: count }),
  "charge.releasing": told({ ...charge, because: text }),
  "client.changed": nothing,
  "client.registered": told({ kind: text }),
  "client.removed": nothing,
  "delegation.granted": told({
    delegatee: id,
    parent: one(id),
    depth: count,
    scope: text,
    audience: one(text),
    offer: one(text),
  }),
  "delegation.revoked": told({ because: text, delegatee: id }),
  "dispute.answered": dispute,
  "dispute.lost": dispute,
  "dispute.opened": dispute,
  "dispute.reported": told({ charge: id, reference: text, status: text }),
  "dispute.withdrawn": dispute,
  "dispute.won": dispute,
  "export.closed": told({ mandate: id, because: text, used_minor: count }),
  "export.made": told({ mandate: id, kind: text, limit_minor: count, currency: text }),
  "export.revoking": told({ mandate: id }),
  "export.used": told({
    mandate: id,
    amount_minor: count,
    used_minor: count,
    reference: text.optional(),
    payee: text.optional(),
  }),
  "fee_schedule.set": told({
    merchant: one(id),
    rail: text,
    currency: one(text),
    collection: text,
    effective_from: count,
    tiers: z.array(
      told({ from_minor: count, basis_points: count, fixed_minor: count, minimum_minor: count }),
    ),
  }),
  "instrument.default_changed": told({ brand: text }),
  "instrument.enrolled": told({ brand: text }),
  "instrument.removed": told({ brand: text, default: z.boolean() }),
  "invoice.changed": invoice,
  "invoice.issued": invoice,
  "ledger.posted": told({ charge: id, refund: id.optional() }),
  "listing.hidden": told({ agent: id }),
  "listing.shown": told({ agent: id }),
  "mandate.issued": told({
    agent: id,
    currency: text,
    amount_minor: count,
    uses: text,
    expires_at: z.json(),
    parent: id.optional(),
  }),
  "mandate.narrowed": told({
    agent: id,
    members: texts,
    amount_minor: count,
    cap_minor: count,
    expires_at: z.json(),
  }),
  "mandate.resumed": mandateChange,
  "mandate.revoked": mandateChange,
  "mandate.suspended": mandateChange,
  "merchant.policy_changed": told({ version: count, policy: text }),
  "merchant.registered": merchant,
  "merchant.updated": merchant,
  "merchant.verified": merchant,
  "partner.changed": partner,
  "partner.created": partner,
  "partner.removed": partner,
  "payment.authorized": payment,
  "payment.authorizing": payment,
  "payment.captured": payment,
  "payment.capturing": payment,
  "payment.declined": payment,
  "payment.refund_failed": told({
    charge: id,
    refund: id,
    amount_minor: count,
    currency: text,
    because: text,
  }),
  "payment.refunded": payment,
  "payment.refunding": payment,
  "payment.released": payment,
  "payment.releasing": payment,
  "payout.changed": told({ merchant: id, status: text, amount_minor: count, currency: text }),
  "payout_account.asked": told({ merchant: id, replaces: z.boolean() }),
  "payout_account.changed": told({
    merchant: id,
    status: text,
    requirements: texts,
    effective_from: one(count),
  }),
  "plan.changed": told({
    tier: text,
    version: count,
    max_agents: one(count),
    max_calls_per_day: one(count),
    max_tokens_per_day: one(count),
    max_tokens_per_month: one(count),
    max_requests_per_minute: one(count),
  }),
  "reconciliation.opened": told({ kind: text, object: text }),
  "reconciliation.resolved": told({ kind: text, object: text }),
  "security.key_mismatch": told({ what: text, bound: text, presented: one(text) }),
  "security.passkey_copied": passkey,
  "session.started": told({ sid: id, acr: one(text) }),
  "session.stepped_up": told({ sid: id, acr: one(text) }),
  "setup_token.issued": told({ kind: text }),
  "setup_token.used": told({ client: id }),
  "stream.changed": stream,
  "stream.created": stream,
  "stream.paused": told({ because: text }),
  "stream.removed": stream,
  "tab.capturing": tab,
  "tab.releasing": tab,
  "tab.settled": tab,
  "tab.settling": tab,
  "tab.unpaid": tab,
  "tenant.created": told({ kind: text }),
  "transfer.sent": told({
    charge: id,
    merchant: id,
    way: text,
    amount_minor: count,
    currency: text,
    reference: text,
  }),
  "trust.changed": trust,
  "trust.created": trust,
  "trust.removed": trust,
  "wallet.frozen": braked,
  "wallet.rules_changed": told({ version: count, limits: count, loosened: z.boolean(), rules: text }),
  "wallet.settings_changed": told({ zone: text }),
  "wallet.unfrozen": braked,
  "webhook.changed": webhook,
  "webhook.created": webhook,
  "webhook.dead_lettered": told({ count }),
  "webhook.disabled": told({ because: text }),
  "webhook.removed": webhook,
  "webhook.replayed": told({ count }),
  "webhook.secret_rotated": told({ overlap_hours: count }),
  "webhook.tested": nothing,
};

/** The schema of an event's data. A type that has none of its own tells whatever was recorded. */
export const dataSchemaOf = (type: EventType): z.ZodType => schemas[type] ?? z.record(z.string(), z.json());

/** What of an event's payload its schema names: nothing else leaves. */
export function dataOf(type: EventType, payload: EventPayload): EventPayload {
  const schema = schemas[type];
  if (schema === undefined) return payload;
  return Object.fromEntries(Object.entries(payload).filter(([name]) => Object.hasOwn(schema.shape, name)));
}
