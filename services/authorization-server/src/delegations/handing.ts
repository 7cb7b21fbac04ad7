import { type Id, type Instant, parseId } from "@remit/kernel";
import type { Caller } from "@remit/platform/http";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type AccessTokenClaims, isScope, mayBeBearer, Problem } from "@remit/protocol";
import type { DelegationFault } from "@remit/protocol/contracts";
import { agentById, standingOfAgent } from "../agents/index.ts";
import type { Secrets } from "../clients/index.ts";
import type { LiveTokens, Mint } from "../tokens/index.ts";
import * as rows from "./delegations.sql.ts";
import { type Delegation, type NewLink, pathTo, stateOf, writeLink } from "./delegations.ts";

// Delegations as the AgentIdP API knows them: one call hands a part of what an agent may do to another, for up to a day.
// They are links of the same chains as those of token exchange. What offers one is no access token but a random text: it
// gives nothing to whoever holds it, can be asked about (`verify`), and only the agent that it names can exchange it or
// hand on less of it.

export type HandingDeps = {
  readonly db: Database;
  readonly mint: Mint;
  readonly live: LiveTokens;
  readonly secrets: Pick<Secrets, "issue" | "digest">;
  readonly granted: () => void;
};

export type HandingWish = {
  readonly to: Id<"agent">;
  readonly scopes: readonly string[];
  /** At most what is left of the delegation that this is handed on from. */
  readonly ttlS: number;
  /** The delegation to the caller that it hands on from; without one, from its access token. */
  readonly under?: string | undefined;
};

/** Writes the link. Throws as `decideLink` does. */
export async function handOver(
  deps: HandingDeps,
  { caller, now, ...wish }: HandingWish & { readonly caller: Caller; readonly now: Instant },
): Promise<{ readonly delegation: NewLink; readonly token: string }> {
  if (parseId("agent", caller.client) === undefined)
    throw new Problem("client_not_allowed", { detail: "Only an agent delegates." });
  const { thumbprint } = caller;
  if (thumbprint === undefined && !mayGoUnbound(wish.scopes)) throw new Problem("bound_token_required");
  const own =
    wish.under === undefined ? caller.claims : await handedTo(deps, { caller, token: wish.under, now });
  const token = deps.secrets.issue();
  const tokenDigest = digestOf(deps, token);
  const asked = { own, thumbprint, now, ...wish, scopes: unique(wish.scopes), lasting: true, tokenDigest };
  const { delegation } = await deps.db.of(caller.tenant).transaction((tx) => writeLink(tx, deps.mint, asked));
  deps.granted();
  return { delegation, token };
}

/** What the caller holds by a delegation to it, in the words of an access token that it could exchange that for. */
async function handedTo(
  deps: HandingDeps,
  { caller, token, now }: { readonly caller: Caller; readonly token: string; readonly now: Instant },
): Promise<AccessTokenClaims> {
  const { client, tenant } = caller;
  const found = await examineHanded(deps, { tenant, token, now });
  if (found.fault !== undefined || found.link.delegatee !== client || found.link.offer === undefined)
    throw refused("delegationToken is not a valid delegation to the caller.");
  const { may_act: _, act, ...offer } = found.link.offer;
  return {
    ...offer,
    client_id: client,
    scope: found.scopes,
    delegation: found.link.id,
    act: { sub: client, ...(act && { act }) },
  };
}

export type HandedState = {
  readonly link: Delegation;
  /** From the first link of the chain down to this one. */
  readonly path: readonly Delegation[];
  /** What of it may still be used: the first delegator must have it itself. */
  readonly scopes: readonly string[];
  /** Why it may not be used at all. */
  readonly fault: DelegationFault | undefined;
};

type Unknown = { readonly link?: undefined; readonly fault: "unknown" };

type Asked = { readonly tenant: Id<"tenant">; readonly token: string; readonly now: Instant };

/** Whether a handed delegation of this tenant stands, by the database's word on every link and agent of its chain. */
export async function examineHanded(
  deps: Pick<HandingDeps, "db" | "live" | "secrets">,
  { tenant, token, now }: Asked,
): Promise<HandedState | Unknown> {
  const read = await deps.db.of(tenant).transaction(async (tx) => {
    const link = await rows.findHanded(tx, digestOf(deps, token));
    return link && readState(tx, link, now);
  });
  if (read === undefined) return { fault: "unknown" };
  if (read.fault !== undefined) return read;
  // Another key of a delegator, the end of its credential, its person's session: what ends its tokens ends this too.
  const offers = read.path.flatMap(({ offer }) => offer ?? []);
  const live = await Promise.all(offers.map((offer) => deps.live.isLive(offer)));
  return live.every(Boolean) ? read : { ...read, fault: "delegator_changed" };
}

async function readState(tx: TenantTx, link: Delegation, now: Instant): Promise<HandedState> {
  const path = await pathTo(tx, link.id);
  const scopes = await stillHeld(tx, link, path);
  const agents = [...path.map(({ delegator }) => delegator), link.delegatee];
  const fault = faultOf(link, path, now) ?? (await inactiveOf(tx, agents));
  return { link, path, scopes, fault: fault ?? (scopes.length === 0 ? "scopes_withdrawn" : undefined) };
}

function faultOf(link: Delegation, path: readonly Delegation[], now: Instant): DelegationFault | undefined {
  const state = stateOf(link, now);
  // Whoever ends a link ends all below it: the first of the path that is revoked is the one that was meant.
  const ended = path.find(({ revokedAt }) => revokedAt !== undefined);
  if (ended !== undefined) return ended.id === link.id ? "revoked" : "ancestor_revoked";
  return state === "expired" ? "expired" : undefined;
}

async function inactiveOf(
  tx: TenantTx,
  agents: readonly Id<"agent">[],
): Promise<DelegationFault | undefined> {
  for (const agent of agents)
    if ((await standingOfAgent(tx, agent))?.status !== "active") return "agent_inactive";
  return undefined;
}

/** An agent that acts by its own right hands on what its operator lets it do, and no longer than that. */
async function stillHeld(
  tx: TenantTx,
  { scopes, subject }: Delegation,
  [first]: readonly Delegation[],
): Promise<readonly string[]> {
  if (first === undefined || first.delegator !== subject) return scopes;
  const held: readonly string[] = (await agentById(tx, first.delegator))?.scopes ?? [];
  return scopes.filter((scope) => held.includes(scope));
}

/** What a token without a key may carry (design section 5). */
export const mayGoUnbound = (scopes: readonly string[]): boolean =>
  scopes.every((scope) => isScope(scope) && mayBeBearer(scope));

const digestOf = ({ secrets }: Pick<HandingDeps, "secrets">, token: string): string =>
  Buffer.from(secrets.digest(token)).toString("base64url");

const unique = (scopes: readonly string[]): string[] => [...new Set(scopes)];

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
