import { randomBytes } from "node:crypto";
import { type Clock, type Id, invariant, newId } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { Keyring, SigningKeys } from "@remit/platform/keys";
import type { Database, TenantTx, Tx } from "@remit/platform/sql";
import {
  type Actor,
  issueMandate,
  type MandateDetails,
  type MandateToIssue,
  newEvent,
  Problem,
  type Status,
} from "@remit/protocol";
import type { NarrowMandate } from "@remit/protocol/contracts";
import { randomText, sha256b64url, thumbprint } from "@remit/protocol/node";
import { meetAgent } from "../freezes/index.ts";
import { endGrantsOf } from "../grants/index.ts";
import type { StatusEntry, StatusLists } from "../status-lists/index.ts";
import {
  type AskedAutomatic,
  type AutomaticGrant,
  assertMayBeAutomatic,
  automaticFor,
  grantAutomatic,
} from "./automatic.ts";
import { carryDown } from "./below.ts";
import { insertBudget, narrowBudget } from "./budget.sql.ts";
import { minorOf, remainingOf } from "./budget.ts";
import { type Freezing, freezeWithin } from "./freezing.ts";
import { type HandingOn, handOnWithin } from "./handing-on.ts";
import * as rows from "./mandates.sql.ts";
import {
  assetOfMandate,
  capOf,
  endedQueue,
  type IssuedMandate,
  type IssueMandate,
  type Mandate,
  type MandateState,
  mayBecome,
  stateOfMandate,
} from "./mandates.ts";
import { narrowedTerms } from "./narrowing.ts";
import {
  findWithBudget,
  heldBy,
  listWithBudgets,
  type MandatePage,
  type MandateWithBudget,
} from "./reading.ts";

export type MandatesDeps = {
  readonly db: Database;
  readonly issuer: string;
  readonly livemode: boolean;
  readonly clock: Clock;
  readonly keys: Pick<SigningKeys, "sign">;
  readonly keyring: Pick<Keyring, "seal" | "open">;
  readonly statusLists: StatusLists;
};

/** Why a mandate's state changes, and who changes it. */
export type Why = {
  readonly because: string;
  readonly actor: Actor;
  /** In the principal's own words: kept with the mandate, never in an event. */
  readonly note?: string | undefined;
};

/** What other rooms do with mandates. The `…Within` forms run in the caller's transaction, in the mandate's tenant. */
export type Mandates = {
  /** Signs the mandate and writes it with its budget and its place in a status list. */
  issue(tx: TenantTx, input: IssueMandate): Promise<IssuedMandate>;
  /** The credential with every disclosure; undefined when the tenant has no such mandate or its data were erased. */
  jwtOf(tx: TenantTx, id: Id<"mandate">): Promise<string | undefined>;
  find(tenant: Id<"tenant">, id: Id<"mandate">): Promise<MandateWithBudget | undefined>;
  /** What a burn-down needs of it. */
  budgetOf(tenant: Id<"tenant">, id: Id<"mandate">): Promise<BudgetOfMandate | undefined>;
  /** The same in the caller's transaction, of one that is there. */
  findWithin(tx: TenantTx, id: Id<"mandate">): Promise<MandateWithBudget>;
  list(tenant: Id<"tenant">, page: MandatePage): Promise<MandateWithBudget[]>;
  /** Those that an agent holds and that are not revoked, whoever gave them. */
  heldBy(
    agent: string,
  ): Promise<readonly { readonly tenant: Id<"tenant">; readonly mandate: Id<"mandate"> }[]>;
  /** From a mandate's id to its tenant, whoever asks. It never changes, so it is remembered. */
  tenantOf(id: Id<"mandate">): Promise<Id<"tenant"> | undefined>;
  /** Whether this principal, of the transaction's tenant, ever gave this agent a mandate. */
  wasGivenBy(
    tx: TenantTx,
    of: { readonly principal: Id<"account">; readonly agent: Id<"agent"> },
  ): Promise<boolean>;
  revokeWithin(tx: TenantTx, id: Id<"mandate">, why: Why): Promise<Mandate>;
  suspendWithin(tx: TenantTx, id: Id<"mandate">, why: Why): Promise<Mandate>;
  /** All that are active of this principal, of the transaction's tenant; each may be resumed. */
  suspendAllWithin(tx: TenantTx, principal: Id<"account">, why: Why): Promise<void>;
  /** All of this principal that could ever be charged again, for good. */
  revokeAllWithin(tx: TenantTx, principal: Id<"account">, why: Why): Promise<number>;
  resumeWithin(tx: TenantTx, id: Id<"mandate">, why: Why): Promise<Mandate>;
  /** Lets it allow less from this commit on. Charges that are held already go on. */
  narrowWithin(tx: TenantTx, id: Id<"mandate">, asked: Narrowing): Promise<void>;
  /** An agent hands a narrower one on; what is spent under it is held along the whole chain. */
  handOnWithin(tx: TenantTx, asked: HandingOn): Promise<IssuedMandate>;
  /** The standing mandate out of which this can be granted without asking its principal, if there is one. */
  automaticFor(tenant: Id<"tenant">, asked: AskedAutomatic): Promise<Id<"mandate"> | undefined>;
  /** Grants it so. Throws when the standing mandate has room for it no more. */
  grantAutomatic(tx: TenantTx, grant: AutomaticGrant): Promise<IssuedMandate>;
  /** The principal's brake on one agent or on all of them. */
  freezeWithin(tx: TenantTx, freezing: Freezing): Promise<void>;
};

export type BudgetOfMandate = {
  readonly id: Id<"mandate">;
  readonly currency: string;
  readonly cap: bigint;
  readonly remaining: bigint;
  readonly issuedAt: Mandate["issuedAt"];
  readonly expiresAt: Mandate["expiresAt"];
};

export type Narrowing = { readonly to: NarrowMandate; readonly actor: Actor };

const tenantsKept = 10_000;

export function createMandates(deps: MandatesDeps): Mandates {
  const { db } = deps;
  const tenants = new Map<Id<"mandate">, Id<"tenant">>();
  const become = (to: MandateState) => (tx: TenantTx, id: Id<"mandate">, why: Why) =>
    changeState(deps, tx, { id, to, why });
  return {
    issue: (tx, input) => issue(deps, tx, input),
    jwtOf: (tx, id) => openJwt(deps, tx, id),
    find: (tenant, id) => db.of(tenant).transaction((tx) => findWithBudget(tx, id)),
    async budgetOf(tenant, id) {
      const found = await db.of(tenant).transaction((tx) => findWithBudget(tx, id));
      if (found === undefined) return undefined;
      const { mandate, budget } = found;
      const { issuedAt, expiresAt, details } = mandate;
      return {
        id,
        currency: details.currency,
        cap: budget.cap,
        remaining: remainingOf(budget),
        issuedAt,
        expiresAt,
      };
    },
    async findWithin(tx, id) {
      const found = await findWithBudget(tx, id);
      invariant(found !== undefined, "the mandate is there");
      return found;
    },
    list: (tenant, page) => db.of(tenant).transaction((tx) => listWithBudgets(tx, page)),
    heldBy: (agent) => heldBy(db, agent),
    async tenantOf(id) {
      const known = tenants.get(id) ?? (await db.global.transaction((tx) => rows.tenantOfMandate(tx, id)));
      if (known === undefined) return undefined;
      if (tenants.size >= tenantsKept) tenants.clear();
      tenants.set(id, known);
      return known;
    },
    wasGivenBy: rows.wasGivenBy,
    revokeWithin: become("revoked"),
    suspendWithin: become("suspended"),
    async suspendAllWithin(tx, principal, why) {
      for (const id of await rows.activeMandatesOf(tx, principal, deps.clock.now()))
        await changeState(deps, tx, { id, to: "suspended", why });
    },
    async revokeAllWithin(tx, principal, why) {
      const standing = await rows.standingMandatesOf(tx, principal, deps.clock.now());
      for (const id of standing) await changeState(deps, tx, { id, to: "revoked", why });
      return standing.length;
    },
    resumeWithin: become("active"),
    narrowWithin: (tx, id, asked) => narrow(deps, tx, { id, ...asked }),
    freezeWithin: (tx, freezing) => freezeWithin(deps, tx, freezing),
    automaticFor: (tenant, asked) => db.of(tenant).transaction((tx) => automaticFor(tx, asked)),
    grantAutomatic: (tx, grant) => grantAutomatic((...given) => issue(deps, ...given), tx, grant),
    handOnWithin: (tx, asked) => handOnWithin((...given) => issue(deps, ...given), tx, asked),
  };
}

async function issue(deps: MandatesDeps, tx: TenantTx, input: IssueMandate): Promise<IssuedMandate> {
  const id = input.id ?? newId("mandate");
  const details = withInstrument(input);
  const now = deps.clock.now();
  await meetAgent(tx, input.agent, now);
  if (input.auto === true) assertMayBeAutomatic(details);
  await assertZones(tx, details);
  const status = await deps.statusLists.take(tx);
  const toIssue = mandateToIssue(deps, { id, details, status, input, now });
  const unsigned = issueMandate(toIssue, { digest: sha256b64url, salt: randomText });
  const jwt = unsigned.finish(await deps.keys.sign("mandate", unsigned.header, unsigned.payload));
  const plaintext = new TextEncoder().encode(jwt);
  await rows.insertMandate(tx, {
    id,
    agent: input.agent,
    agentTenant: input.agentTenant,
    principal: input.principal.account,
    subject: toIssue.subject,
    details,
    holderThumbprint: thumbprint(input.holder),
    instrument: input.instrument,
    jwtHash: sha256b64url(jwt.slice(0, jwt.indexOf("~"))),
    sealedJwt: await deps.keyring.seal(tx, sealScope(tx), { plaintext, aad: sealAad(id) }),
    status,
    livemode: deps.livemode,
    issuedAt: now,
    expiresAt: toIssue.validUntil,
    auto: input.auto === true,
    ancestors: (input.under ?? []).map((above) => above.id),
  });
  const usesMax = details.uses === "single" ? 1 : undefined;
  await insertBudget(tx, { mandate: id, cap: capOf(details), usesMax });
  const { currency, amount_minor } = details;
  const parent = input.under?.at(-1);
  const payload = {
    agent: input.agent,
    currency,
    amount_minor,
    uses: details.uses,
    expires_at: toIssue.validUntil,
    ...(parent === undefined ? {} : { parent: parent.id }),
  };
  const actor: Actor =
    parent === undefined
      ? { type: "account", id: input.principal.account }
      : { type: "agent", id: parent.agent };
  await tx.record(newEvent("mandate.issued", { tenant: tx.tenant, actor, subject: id, payload }, now));
  return { id, jwt, details, expiresAt: toIssue.validUntil };
}

const withInstrument = ({ request, instrument }: IssueMandate): MandateDetails =>
  instrument === undefined ? request.details : { ...request.details, instrument };

/** A zone that PostgreSQL does not know would refuse every charge later; better to refuse the request now. */
async function assertZones(tx: Tx, details: MandateDetails): Promise<void> {
  for (const { zone } of details.velocity ?? [])
    if (zone !== undefined && !(await rows.knowsZone(tx, zone)))
      throw new Problem("invalid_authorization_details", { detail: `The zone ${zone} is unknown.` });
}

type Issuing = {
  readonly id: Id<"mandate">;
  readonly details: MandateDetails;
  readonly status: StatusEntry;
  readonly input: IssueMandate;
  readonly now: MandateToIssue["issuedAt"];
};

function mandateToIssue(deps: MandatesDeps, { id, details, status, input, now }: Issuing): MandateToIssue {
  const { principal, consent } = input;
  const { account: _, ...personal } = principal;
  const { list, index } = status;
  const parent = input.under?.at(-1);
  return {
    id,
    issuer: deps.issuer,
    subject: subjectOf(deps.issuer, principal.account, details),
    holder: input.holder,
    details,
    issuedAt: now,
    validFrom: now,
    validUntil: input.request.validUntil,
    livemode: deps.livemode,
    status: { uri: deps.statusLists.uriOf(list), idx: index },
    statusList2021: {
      revocation: deps.statusLists.uriOf(list, "revocation"),
      suspension: deps.statusLists.uriOf(list, "suspension"),
    },
    ...(parent === undefined ? {} : { parent: { jti: parent.id, mandate_hash: parent.jwtHash } }),
    // Only when there is one: in clear, a list would tell each merchant of the others.
    ...(details.merchants?.length === 1 ? { audience: details.merchants } : {}),
    principal: personal,
    consentEvidence: {
      ...(consent.ip === undefined ? {} : { ip: consent.ip }),
      ...(consent.userAgent === undefined ? {} : { user_agent: consent.userAgent }),
    },
  };
}

/** Pairwise for a mandate with one merchant, so that it knows its customer again; else random for this mandate. */
function subjectOf(issuer: string, account: Id<"account">, { merchants }: MandateDetails): string {
  const only = merchants?.length === 1 ? merchants[0] : undefined;
  return only === undefined
    ? `urn:remit:sub:${randomBytes(16).toString("base64url")}`
    : `urn:remit:sub:${sha256b64url(`${issuer}\n${only}\n${account}`).slice(0, 32)}`;
}

const sealScope = (tx: TenantTx): string => `mandates:${tx.tenant}`;
const sealAad = (id: Id<"mandate">): string => `mandate_credentials.${id}`;

async function openJwt(deps: MandatesDeps, tx: TenantTx, id: Id<"mandate">): Promise<string | undefined> {
  const sealed = await rows.findSealedJwt(tx, id);
  if (sealed === undefined) return undefined;
  const opened = await deps.keyring.open(tx, sealScope(tx), { sealed, aad: sealAad(id) });
  return opened && new TextDecoder().decode(opened);
}

const eventOf = {
  active: "mandate.resumed",
  suspended: "mandate.suspended",
  revoked: "mandate.revoked",
} as const;
const statusOf: Readonly<Record<MandateState, Status>> = {
  active: "valid",
  suspended: "suspended",
  revoked: "invalid",
};

/**
 * Changes a state, tells the status list and records the event together. The row is locked against charges that have
 * not passed their commit point. Asking for the state there is, or for any change of a revoked mandate, changes nothing.
 */
async function changeState(
  deps: MandatesDeps,
  tx: TenantTx,
  { id, to, why }: { id: Id<"mandate">; to: MandateState; why: Why },
): Promise<Mandate> {
  const mandate = await rows.findMandate(tx, id, "update");
  if (mandate === undefined) throw new Problem("not_found", { detail: "There is no such mandate." });
  if (!mayBecome(mandate.ownState, to)) return mandate;
  const now = deps.clock.now();
  await rows.saveState(tx, id, { state: to, because: why.note ?? why.because, now });
  const state = stateOfMandate({ ...mandate, ownState: to });
  if (state !== mandate.state) await deps.statusLists.tell(tx, mandate.status, statusOf[state]);
  const payload = { agent: mandate.agent, from: mandate.ownState, because: why.because };
  await tx.record(newEvent(eventOf[to], { tenant: tx.tenant, actor: why.actor, subject: id, payload }, now));
  if (to === "revoked") {
    await endGrantsOf(tx, { mandate: id, actor: why.actor, now });
    await enqueue(tx, { queue: endedQueue, key: id, payload: { tenant: tx.tenant, mandate: id } });
  }
  const revokedAt = to === "revoked" ? now : undefined;
  const changed = { ...mandate, state, ownState: to, because: why.because, revokedAt };
  if (state !== mandate.state) await carryDown(deps, tx, { from: changed, actor: why.actor });
  return changed;
}

/** The row is locked against charges that decide: each is held by the former terms before this, or by the narrower after. */
async function narrow(
  deps: MandatesDeps,
  tx: TenantTx,
  { id, to, actor }: Narrowing & { id: Id<"mandate"> },
): Promise<void> {
  const mandate = await rows.findMandate(tx, id, "update");
  if (mandate === undefined) throw new Problem("not_found", { detail: "There is no such mandate." });
  const now = deps.clock.now();
  if (mandate.state === "revoked") throw new Problem("mandate_revoked");
  if (now >= mandate.expiresAt) throw new Problem("mandate_expired");
  const terms = narrowedTerms(mandate, to, now);
  await assertZones(tx, terms.details);
  await rows.saveNarrowed(tx, id, { ...terms, now });
  const single = terms.details.uses === "single";
  const budget = await narrowBudget(tx, id, { cap: capOf(terms.details), single });
  const payload = {
    agent: mandate.agent,
    members: Object.keys(to).sort(),
    amount_minor: terms.details.amount_minor,
    cap_minor: minorOf(assetOfMandate(terms.details), budget.cap),
    expires_at: terms.expiresAt,
  };
  await tx.record(newEvent("mandate.narrowed", { tenant: tx.tenant, actor, subject: id, payload }, now));
}
