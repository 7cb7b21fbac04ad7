import { after, type Id, type Instant, newId, parseId, secondMs } from "@remit/kernel";
import { type TenantTx, violates } from "@remit/platform/sql";
import { type Actor, type EventType, isScope, mayBeBearer, newEvent, Problem } from "@remit/protocol";
import { agentById, changeStanding } from "../agents/index.ts";
import { resumeTokens, revokeTokens, revokeTokensIssued } from "../tokens/index.ts";
import type { TrustKind, TrustRules } from "./rules.ts";
import * as rows from "./trusts.sql.ts";

export type TrustStatus = "active" | "suspended";

/** Whose word this tenant takes for one of its agents, and how far; or for whom a client of it may have ours. */
export type Trust = {
  readonly id: Id<"trust">;
  readonly tenant: Id<"tenant">;
  /**
   * The agent that the workload is; of an `id_jag_issue`, the client that may ask. A workflow that is no agent yet, and
   * may register one, is a client of its own: this is the trust's id then.
   */
  readonly client: string;
  readonly name: string;
  readonly status: TrustStatus;
  /** What a token can carry at most. Of an `id_jag_issue`, scopes of the other server. */
  readonly scopes: readonly string[];
  /** Whether a token may go without a key (design section 5); the tenant's own switch must be on as well. */
  readonly bearer: boolean;
  readonly rules: TrustRules;
  readonly createdAt: Instant;
  readonly expiresAt: Instant | undefined;
  /** By which a workflow registered the agent that this one is of: it gives no more than that one, and no longer. */
  readonly parent: Id<"trust"> | undefined;
};

/** What a token that came by somebody's word lives at most. */
export const trustedLifeS = 900;

const perClientMax = 50;

export type By = { readonly actor: Actor; readonly now: Instant };

/** Without a client it is its own. */
export type NewTrust = Omit<Trust, "id" | "tenant" | "status" | "createdAt" | "client" | "parent"> & {
  readonly client: string | undefined;
  readonly parent?: Id<"trust">;
};

/** Writes a trust, checked (`parse.ts`). Throws `invalid_request` when there is no such client, or one too many. */
export async function createTrust(tx: TenantTx, wanted: NewTrust, { actor, now }: By): Promise<Trust> {
  checkScopes(wanted);
  const id = newId("trust");
  const trust: Trust = {
    ...wanted,
    id,
    client: wanted.client ?? id,
    parent: wanted.parent,
    tenant: tx.tenant,
    status: "active",
    createdAt: now,
  };
  const written = await rows.insertTrust(tx, trust, perClientMax).catch((error: unknown) => {
    throw violates(error, "trusts_client") ? refused("There is no such agent.") : error;
  });
  if (!written) throw refused(`One agent has at most ${perClientMax} trusts.`);
  await record(tx, "trust.created", { trust, actor, now });
  return trust;
}

// A partner's word is about who somebody is; what they may manage is for the tenant to say (design section 5).
function checkScopes({ rules, scopes, bearer }: NewTrust): void {
  if (rules.kind === "id_jag_issue") return;
  const allowed = (scope: string): boolean =>
    isScope(scope) && (scope === "oid4ac:payment" || (rules.kind !== "federation" && mayBeBearer(scope)));
  const wrong = scopes.find((scope) => !allowed(scope));
  if (wrong !== undefined)
    throw new Problem("invalid_scope", { detail: `A trust of kind ${rules.kind} cannot give ${wrong}.` });
  if (bearer && !scopes.every((scope) => isScope(scope) && mayBeBearer(scope)))
    throw new Problem("invalid_scope", { detail: "These scopes need tokens that are bound to a key." });
}

export type TrustChange = {
  readonly name?: string | undefined;
  readonly status?: TrustStatus | undefined;
  /** null: never. */
  readonly expiresAt?: Instant | null | undefined;
};

/** Renames, suspends, resumes, or ends at another time. Counts at once, for tokens already issued too, as with an agent. */
export async function changeTrust(
  tx: TenantTx,
  id: Id<"trust">,
  { actor, now, ...change }: TrustChange & By,
): Promise<Trust> {
  const before = await rows.findTrust(tx, id, "update");
  if (before === undefined) throw unknownTrust();
  const { name = before.name, status = before.status, expiresAt = before.expiresAt } = change;
  const trust: Trust = { ...before, name, status, expiresAt: expiresAt ?? undefined };
  await rows.saveTrust(tx, trust, now);
  await record(tx, "trust.changed", { trust, actor, now });
  const [stood, stands] = [isStanding(before, now), isStanding(trust, now)];
  for (const each of [trust, ...(await rows.trustsUnder(tx, id))]) {
    if (stood && !stands) await endTokens(tx, each.id, now);
    if (!stood && stands && isStanding(each, now)) await resumeTokens(tx, `trust:${each.id}`);
    if (stood && stands && endsSooner(before, trust)) await endTokensIssued(tx, each.id, now);
  }
  return trust;
}

const endsSooner = (before: Trust, { expiresAt }: Trust): boolean =>
  expiresAt !== undefined && (before.expiresAt === undefined || expiresAt < before.expiresAt);

/** Those that it gave so far may outlive its new end; the next ones will not. */
const endTokensIssued = (tx: TenantTx, id: Id<"trust">, now: Instant): Promise<void> =>
  revokeTokensIssued(tx, `trust:${id}`, { until: after(now, trustedLifeS * secondMs), issuedUntil: now });

/**
 * Removes a trust; its tokens end with it. So does the trust in the agents that it let a workflow register: nobody vouches
 * for them any more, and they are suspended, since whoever runs that workflow has chosen their keys; or they stay as they
 * are, when that is said.
 */
export async function removeTrust(
  tx: TenantTx,
  id: Id<"trust">,
  { actor, now, agents = "suspend" }: By & { readonly agents?: "suspend" | "keep" },
): Promise<void> {
  // First the trust itself: a registration under way holds it, and what it makes is seen below.
  await removeOne(tx, id, { actor, now });
  for (const { id: child, client } of await rows.trustsUnder(tx, id)) {
    await removeOne(tx, child, { actor, now });
    const agent = parseId("agent", client);
    const found = agent && (await agentById(tx, agent));
    if (agents === "suspend" && found?.status === "active")
      await changeStanding(tx, found.id, { to: "suspended", by: actor, now });
  }
}

async function removeOne(tx: TenantTx, id: Id<"trust">, { actor, now }: By): Promise<void> {
  const trust = await rows.deleteTrust(tx, id);
  if (trust === undefined) throw unknownTrust();
  await record(tx, "trust.removed", { trust, actor, now });
  await endTokens(tx, id, now);
}

const endTokens = (tx: TenantTx, id: Id<"trust">, now: Instant): Promise<void> =>
  revokeTokens(tx, `trust:${id}`, after(now, trustedLifeS * secondMs));

/** The trust of this tenant; `not_found` for another's and for none. */
export async function trustById(tx: TenantTx, id: Id<"trust">): Promise<Trust> {
  const trust = await rows.findTrust(tx, id);
  if (trust === undefined) throw unknownTrust();
  return trust;
}

/** The tenant's trusts, newest first, at most `limit`, before the id `before`. */
export const trustsOf = (
  tx: TenantTx,
  page: { limit: number; before?: Id<"trust"> | undefined; kind?: TrustKind | undefined },
): Promise<Trust[]> => rows.listTrusts(tx, page);

/** The active trusts in one client of this tenant. */
export const trustsIn = (tx: TenantTx, client: string, now: Instant): Promise<Trust[]> =>
  rows.listActive(tx, client, now);

/** The active trusts in workflows that are no agent yet. */
export const registeringTrusts = (tx: TenantTx, now: Instant): Promise<Trust[]> =>
  rows.listRegistering(tx, now);

/** Whether a trust still stands; it stays as read until the transaction ends. */
export async function stillStands(tx: TenantTx, { id }: Trust, now: Instant): Promise<boolean> {
  const trust = await rows.findTrust(tx, id, "share");
  if (trust === undefined || !isStanding(trust, now)) return false;
  const parent = trust.parent && (await rows.findTrust(tx, trust.parent, "share"));
  return trust.parent === undefined || (parent !== undefined && isStanding(parent, now));
}

export const isStanding = ({ status, expiresAt }: Trust, now: Instant): boolean =>
  status === "active" && (expiresAt === undefined || now < expiresAt);

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
const unknownTrust = (): Problem => new Problem("not_found", { detail: "There is no such trust." });

async function record(
  tx: TenantTx,
  type: EventType,
  { trust, actor, now }: { readonly trust: Trust } & By,
): Promise<void> {
  const payload = {
    kind: trust.rules.kind,
    client: trust.client,
    status: trust.status,
    scope: trust.scopes.join(" "),
    bearer: trust.bearer,
  };
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: trust.id, payload }, now));
}

/** The tables of this room, by the kind of protection each has. */
export const trustTables = { trusts: "tenant" } as const;
