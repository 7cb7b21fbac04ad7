import { fromNumericDate, type Id, type Instant, parseId } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import type { Database, Sql } from "@remit/platform/sql";
import { type AccessTokenClaims, type ActClaim, isScope, mayBeBearer } from "@remit/protocol";
import { type AgentStanding, standingOfAgent, standingsOfAgents } from "../agents/index.ts";
import * as rows from "./tokens.sql.ts";

/**
 * What may be revoked: one token, all of a grant (a code's or a refresh token's family), all of a session, of a client,
 * of a trust, of a whole tenant, of a person in a tenant, or of a link in a chain of delegations (whoever revokes a link revokes those below it too).
 */
export type TokenKey =
  `${"jti" | "grant" | "session" | "client" | "delegation" | "trust" | "tenant" | "member"}:${string}`;

/**
 * Refuses the tokens of the key from the moment the transaction commits; `until` is when the last of them expires. Waits
 * for the commit points that rely on it, so it comes after every other lock. A transaction revokes one key, or those of
 * one mandate that it has locked: else it and a commit point could wait for each other.
 */
export const revokeTokens = (tx: Sql, key: TokenKey, until: Instant): Promise<void> =>
  rows.insertRevocation(tx, { key, until });

/** The same for the tokens of the key that were issued until a moment; what is issued later counts. */
export const revokeTokensIssued = (
  tx: Sql,
  key: TokenKey,
  { until, issuedUntil }: { readonly until: Instant; readonly issuedUntil: Instant },
): Promise<void> => rows.insertRevocation(tx, { key, until, issuedUntil });

/** Lets the tokens of a trust or a tenant count again that was suspended and is resumed; they expire as they would have. */
export const resumeTokens = (tx: Sql, key: `${"trust" | "tenant"}:${string}`): Promise<void> =>
  rows.deleteRevocation(tx, key);

/**
 * Whether a token that verified still counts, as the database knows it (A11): not revoked by itself, its grant, its
 * session, its client or its delegation, its agent active with the key the token is bound to, and those active who
 * handed it on. `lock: "share"` keeps the agent's standing as read until the transaction ends. Works in any transaction.
 */
export async function isTokenLive(
  tx: Sql,
  claims: AccessTokenClaims,
  lock: "none" | "share" = "none",
): Promise<boolean> {
  const standings: Standings = new Map();
  const [isRevoked] = await Promise.all([
    rows.isAnyRevoked(tx, keysOf(claims), fromNumericDate(claims.iat)),
    ...actorsBefore(claims).map(async (agent) => standings.set(agent, await standingOfAgent(tx, agent))),
    ...holderOf(claims).map(async (agent) => standings.set(agent, await standingOfAgent(tx, agent, lock))),
  ]);
  return !isRevoked && mayCount(claims, standings);
}

/** The same for requests that come at once: they share a round trip. */
export type LiveTokens = { readonly isLive: (claims: AccessTokenClaims) => Promise<boolean> };

export function createLiveTokens(db: Database): LiveTokens {
  const { add } = createBatches({ commit: (tokens: readonly AccessTokenClaims[]) => areLive(db, tokens) });
  return { isLive: add };
}

async function areLive(db: Database, tokens: readonly AccessTokenClaims[]): Promise<boolean[]> {
  const keys = new Set(tokens.flatMap(keysOf));
  const agents = new Set(tokens.flatMap((claims) => [...actorsBefore(claims), ...holderOf(claims)]));
  const [revocations, standings] = await Promise.all([
    rows.findRevocations(db.single, [...keys]),
    agents.size === 0 ? new Map() : standingsOfAgents(db.single, [...agents]),
  ]);
  const isRevoked = (claims: AccessTokenClaims): boolean =>
    keysOf(claims).some((key) => {
      const found = revocations.get(key);
      return found !== undefined && (found.issuedUntil ?? Infinity) >= fromNumericDate(claims.iat);
    });
  return tokens.map((claims) => !isRevoked(claims) && mayCount(claims, standings));
}

type Standings = Map<Id<"agent">, AgentStanding | undefined>;

/** Whether those by whose word the token exists are active, and its holder is, with the key that it is bound to. */
function mayCount(claims: AccessTokenClaims, standings: Standings): boolean {
  if (!actorsBefore(claims).every((agent) => standings.get(agent)?.status === "active")) return false;
  return holderOf(claims).every((agent) => {
    const standing = standings.get(agent);
    return isBoundTo(standing, claims) || (standing?.status === "active" && mayBeUnbound(claims));
  });
}

/**
 * The same for the commit point of a charge, whose transaction has locked the token's agent: until it ends, no
 * revocation of the token commits. One that has committed before, even while other locks were waited for, is seen.
 */
export async function isTokenLiveAtCommit(
  tx: Sql,
  claims: AccessTokenClaims,
  agent: AgentStanding | undefined,
): Promise<boolean> {
  const keys = keysOf(claims).toSorted();
  await rows.keepKeys(tx, keys);
  if (await rows.isAnyRevoked(tx, keys, fromNumericDate(claims.iat))) return false;
  for (const actor of actorsBefore(claims))
    if ((await standingOfAgent(tx, actor))?.status !== "active") return false;
  return isBoundTo(agent, claims);
}

const isBoundTo = (standing: AgentStanding | undefined, { cnf }: AccessTokenClaims): boolean =>
  standing?.status === "active" && cnf !== undefined && standing.dpopThumbprint === cnf.jkt;

/** A bearer token of an agent (design section 5): only with scopes that neither move money nor change who may act. */
const mayBeUnbound = ({ cnf, scope }: AccessTokenClaims): boolean =>
  cnf === undefined && scope.length > 0 && scope.every((name) => isScope(name) && mayBeBearer(name));

/** The agents by whose word the token exists, without its holder: those whom a chain names before (RFC 8693 §4.1). */
function actorsBefore({ sub, act, client_id }: AccessTokenClaims): Id<"agent">[] {
  const named = [sub];
  for (let actor: ActClaim | undefined = act; actor !== undefined; actor = actor.act) named.push(actor.sub);
  return named.flatMap((id) => (id === client_id ? [] : (parseId("agent", id) ?? [])));
}

/** The agent whose token it is; none for a client that is no agent. */
function holderOf({ client_id }: AccessTokenClaims): Id<"agent">[] {
  const holder = parseId("agent", client_id);
  return holder === undefined ? [] : [holder];
}

function keysOf(claims: AccessTokenClaims): TokenKey[] {
  const keys: TokenKey[] = [
    `jti:${claims.jti}`,
    `client:${claims.client_id}`,
    `tenant:${claims.organization_id}`,
  ];
  for (const agent of actorsBefore(claims)) keys.push(`client:${agent}`);
  if (parseId("account", claims.sub)) keys.push(`member:${claims.organization_id}:${claims.sub}`);
  if (claims.trust !== undefined) keys.push(`trust:${claims.trust}`);
  if (claims.delegation !== undefined) keys.push(`delegation:${claims.delegation}`);
  if (claims.grant_id !== undefined) keys.push(`grant:${claims.grant_id}`);
  if (claims.sid !== undefined) keys.push(`session:${claims.sid}`);
  return keys;
}

const windowRows = 1_000;

/** Forgets a window of revocations that can refuse nothing any more; returns how many. */
export const forgetRevocations = (db: Database, now: Instant): Promise<number> =>
  db.global.transaction((tx) => rows.deleteExpired(tx, now, windowRows));
