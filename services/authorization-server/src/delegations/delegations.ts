import { after, fromNumericDate, type Id, type Instant, newId, parseId, secondMs } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type AccessTokenClaims, type ActClaim, type Actor, newEvent, Problem } from "@remit/protocol";
import { agentById } from "../agents/index.ts";
import { type Mint, revokeTokens, type TokenDraft } from "../tokens/index.ts";
import * as rows from "./delegations.sql.ts";

/** One link: what an agent handed to another, which may hand on less of it (RFC 8693). */
export type Delegation = {
  readonly id: Id<"delegation">;
  readonly tenant: Id<"tenant">;
  /** The first link of the chain. */
  readonly chain: Id<"delegation">;
  readonly parent: Id<"delegation"> | undefined;
  /** 1 for the first link. */
  readonly depth: number;
  readonly delegator: Id<"agent">;
  readonly delegatee: Id<"agent">;
  /** For whom all of the chain acts: the `sub` of its tokens. */
  readonly subject: string;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly createdAt: Instant;
  readonly expiresAt: Instant;
  readonly revokedAt: Instant | undefined;
  /** What the token that offers it says, where that is kept here and not signed: of one handed over by a call. */
  readonly offer: AccessTokenClaims | undefined;
};

/** A link as it is decided. */
export type NewLink = Omit<Delegation, "offer">;

export const depthMax = 8;

/**
 * Links of one chain that stand at a time. Whoever ends its first link ends all in one transaction, with a lock for each:
 * without a bound, those below could hand on so much that it never succeeds, and takes the database's locks from others.
 */
export const chainMax = 200;

/** What a delegated token lives at most (seeds 4.8); whoever needs longer comes back while the link lasts. */
export const delegatedLifeS = 300;

export type Wish = {
  readonly to: Id<"agent">;
  /** All that the token carries, unless told. */
  readonly scopes?: readonly string[] | undefined;
  /** As long as the token, unless told. */
  readonly ttlS?: number | undefined;
  /** May outlive the token of an agent that acts by its own right: what offers the link is then no token. */
  readonly lasting?: boolean | undefined;
};

/**
 * The link that a token's holder may make for another agent: less or as much scope, no longer life, never to itself or
 * to one that is in the chain already, and not deeper than 8. Throws `invalid_scope` or `invalid_request`.
 */
export function decideLink(
  own: AccessTokenClaims,
  { to, ...wish }: Wish,
  { parent, now }: { parent: Delegation | undefined; now: Instant },
): Omit<NewLink, "tenant"> {
  const delegator = parseId("agent", own.client_id);
  if (delegator === undefined) throw refused("Only an agent delegates.");
  if (own.may_act !== undefined) throw refused("The token offers a delegation already; use the agent's own.");
  if (to === delegator) throw refused("An agent cannot delegate to itself.");
  if (own.sub === to || isInChain(own.act, to)) throw refused("The agent is in this chain already.");
  const depth = (parent?.depth ?? 0) + 1;
  if (depth > depthMax || depthOf(own.act) >= depthMax)
    throw refused(`A chain has at most ${depthMax} links.`);
  const scopes = wish.scopes ?? own.scope;
  checkScopes(scopes, own.scope);
  const id = newId("delegation");
  const expiresAt = endOf(own, wish, { parent, now });
  if (expiresAt - now < secondMs) throw refused("What this is handed on from has no second left.");
  const facts = { subject: own.sub, audience: own.aud, scopes, createdAt: now, expiresAt };
  const place = { chain: parent?.chain ?? id, parent: parent?.id, depth, revokedAt: undefined };
  return { id, delegator, delegatee: to, ...place, ...facts };
}

function endOf(
  own: AccessTokenClaims,
  { ttlS = Infinity, lasting }: Pick<Wish, "ttlS" | "lasting">,
  { parent, now }: { parent: Delegation | undefined; now: Instant },
): Instant {
  // Whoever acts by a person's grant or by somebody else's word hands on no more time than that gave it: how long the
  // end of either is remembered goes by the tokens that it gave.
  const byOwnRight = own.grant_id === undefined && own.sid === undefined && own.trust === undefined;
  const token = lasting === true && byOwnRight ? Infinity : fromNumericDate(own.exp) - now;
  const above = parent === undefined ? Infinity : parent.expiresAt - now;
  return after(now, Math.min(token, above, ttlS * secondMs));
}

/** RFC 6749 §3.3: what is not there cannot be handed on. */
export function checkScopes(wanted: readonly string[], held: readonly string[]): void {
  const beyond = wanted.filter((scope) => !held.includes(scope));
  if (beyond.length > 0 || wanted.length === 0)
    throw new Problem("invalid_scope", {
      detail:
        wanted.length === 0 ? "No scope is left." : `Not in the token: ${beyond.join(" ").slice(0, 200)}`,
    });
}

const isInChain = (act: ActClaim | undefined, id: string): boolean =>
  act !== undefined && (act.sub === id || isInChain(act.act, id));

const depthOf = (act: ActClaim | undefined): number => (act === undefined ? 0 : 1 + depthOf(act.act));

// RFC 8693 §2.2.2: whatever is wrong with a subject or actor token is an invalid_request.
const refused = (detail: string): Problem => new Problem("invalid_request", { detail });

type Deps = { readonly db: Database; readonly mint: Mint; readonly granted: () => void };

export type Offered = { readonly delegation: NewLink; readonly token: string };

/**
 * Hands a part of a token that has verified and is live to another agent of the same tenant: writes the link and mints
 * the token that offers it (`may_act`), bound to the delegator's key, so that nobody but the delegatee gains from it,
 * and that one only by exchanging it.
 */
export async function delegate({ db, mint, granted }: Deps, given: Wish & Given): Promise<Offered> {
  const { delegation, draft } = await db
    .of(given.own.organization_id)
    .transaction((tx) => writeLink(tx, mint, given));
  granted();
  return { delegation, token: await mint.sign(draft) };
}

export type Written = { readonly delegation: NewLink; readonly draft: TokenDraft };

/** Decides the link under its locked parent and writes it; `tokenDigest` where the offer is not to be a signed token. */
export async function writeLink(
  tx: TenantTx,
  mint: Mint,
  given: Wish & Given & { readonly tokenDigest?: string },
): Promise<Written> {
  const { own, now, tokenDigest } = given;
  const parent = own.delegation === undefined ? undefined : await lockedParent(tx, own.delegation);
  const link = { ...decideLink(own, given, { parent, now }), tenant: tx.tenant };
  if (parent !== undefined) await checkRoom(tx, parent, now);
  const agent = await agentById(tx, given.to);
  if (agent?.status !== "active") throw refused("There is no such active agent in this organization.");
  const draft = offerOf(mint, given, link);
  const handed = tokenDigest === undefined ? undefined : { digest: tokenDigest, offer: draft.claims };
  await rows.insertDelegation(tx, { ...link, offerJti: draft.jti, handed });
  await recordGranted(tx, link, draft.jti);
  return { delegation: link, draft };
}

/** The chain is locked. */
async function checkRoom(tx: TenantTx, { chain }: Delegation, now: Instant): Promise<void> {
  if ((await rows.countStanding(tx, chain, now)) < chainMax) return;
  throw new Problem("delegation_limit_reached", {
    detail: `${chainMax} links of one chain stand at a time.`,
  });
}

const offerOf = (mint: Mint, { own, now, to, thumbprint }: Wish & Given, link: NewLink): TokenDraft =>
  mint.draft({
    client: own.client_id,
    subject: own.sub,
    tenant: link.tenant,
    audience: own.aud,
    scopes: link.scopes,
    lifeS: Math.floor((link.expiresAt - now) / secondMs),
    thumbprint,
    inherited: { ...inheritedOf(own), ...(own.act && { act: own.act }), may_act: { sub: to } },
  });

async function recordGranted(tx: TenantTx, link: NewLink, offer: string): Promise<void> {
  const { delegatee, parent = null, depth, scopes, audience, delegator } = link;
  const payload = { delegatee, parent, depth, scope: scopes.join(" "), audience, offer };
  const actor = { type: "agent", id: delegator } as const;
  const facts = { tenant: tx.tenant, actor, subject: link.id, payload };
  await tx.record(newEvent("delegation.granted", facts, link.createdAt));
}

type Given = {
  /** Claims of the delegator's own token, verified and live, and the key it has just proven to hold, if any. */
  readonly own: AccessTokenClaims;
  readonly thumbprint: string | undefined;
  readonly now: Instant;
};

async function lockedParent(tx: TenantTx, id: Id<"delegation">): Promise<Delegation> {
  const found = await rows.findDelegation(tx, id);
  if (found !== undefined) await rows.lockChain(tx, found.chain);
  const parent = found && (await rows.findDelegation(tx, id));
  if (parent?.revokedAt !== undefined || parent === undefined)
    throw refused("The delegation that this token came by has been revoked.");
  return parent;
}

/** By what a token dies, its successors die too. */
export const inheritedOf = (own: AccessTokenClaims): Partial<AccessTokenClaims> => ({
  ...(own.grant_id === undefined ? {} : { grant_id: own.grant_id }),
  ...(own.sid === undefined ? {} : { sid: own.sid }),
  ...(own.trust === undefined ? {} : { trust: own.trust }),
  ...(own.delegation === undefined ? {} : { delegation: own.delegation }),
});

/** The link of this tenant that a token offers by its `jti`, if it still stands. */
export async function offeredBy(tx: TenantTx, jti: string, now: Instant): Promise<Delegation | undefined> {
  const link = await rows.findOffered(tx, jti);
  return link !== undefined && stateOf(link, now) === "active" ? link : undefined;
}

export type DelegationState = "active" | "expired" | "revoked";

export const stateOf = ({ revokedAt, expiresAt }: Delegation, now: Instant): DelegationState =>
  revokedAt !== undefined ? "revoked" : now >= expiresAt ? "expired" : "active";

/** All links from the first of its chain down to this one. */
/** The links that stand, the newest first. */
export const standingLinks = (
  tx: TenantTx,
  window: { readonly before: string | undefined; readonly limit: number; readonly now: Instant },
): Promise<Delegation[]> => rows.standingLinks(tx, window);

export const pathTo = (tx: TenantTx, id: Id<"delegation">): Promise<Delegation[]> => rows.findPath(tx, id);

/**
 * Ends a link and all below it at once, tokens already issued too. `by.agent` may end only what it handed out itself; an
 * operator (without it) any link of the tenant. What is revoked already stays so and is no error; what is not there, or
 * another's, is `not_found`.
 */
export async function revokeDelegation(
  tx: TenantTx,
  id: Id<"delegation">,
  by: { readonly agent?: string | undefined; readonly actor: Actor; readonly now: Instant },
): Promise<Delegation> {
  const link = await rows.findDelegation(tx, id);
  if (link === undefined || (by.agent !== undefined && by.agent !== link.delegator))
    throw new Problem("not_found", { detail: "There is no such delegation." });
  await rows.lockChain(tx, link.chain);
  const ended = await rows.revokeBelow(tx, { id, now: by.now });
  for (const one of ended) {
    const payload = { because: one.id === id ? "revoked" : "ancestor_revoked", delegatee: one.delegatee };
    const facts = { tenant: tx.tenant, actor: by.actor, subject: one.id, payload };
    await tx.record(newEvent("delegation.revoked", facts, by.now));
  }
  // Locks go chain, token. A token has one link alone, so these never wait for a commit point that waits for them. Of a
  // link that has expired there is no token left.
  for (const one of ended)
    if (one.expiresAt > by.now) await revokeTokens(tx, `delegation:${one.id}`, one.expiresAt);
  return ended.find((one) => one.id === id) ?? link;
}

/** The tables of this room, by the kind of protection each has. */
export const delegationTables = { delegations: "tenant" } as const;
