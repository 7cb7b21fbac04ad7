import { type Id, type Instant, invariant, parseId, secondMs, toNumericDate } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type AccessTokenClaims, newEvent, Problem, parseScope } from "@remit/protocol";
import type { Secrets } from "../clients/index.ts";
import { grantOf, hasGranted } from "../grants/index.ts";
import type { IssuerKeys } from "../keys/index.ts";
import {
  type CustomGrant,
  type GrantAnswer,
  type GrantCall,
  type Target,
  tokenExchangeGrant,
} from "../oidc/index.ts";
import { isTokenLive, type LiveTokens, type Mint, readOwnToken, type TokenFacts } from "../tokens/index.ts";
import {
  checkScopes,
  type Delegation,
  delegate,
  delegatedLifeS,
  inheritedOf,
  offeredBy,
} from "./delegations.ts";
import { examineHanded, mayGoUnbound } from "./handing.ts";

/** RFC 8693 §3, and the identity assertion grant's own. */
export const tokenTypes = {
  accessToken: "urn:ietf:params:oauth:token-type:access_token",
  idToken: "urn:ietf:params:oauth:token-type:id_token",
  idJag: "urn:ietf:params:oauth:token-type:id-jag",
  /** RFC 8693 §3 lets us name our own: what `POST /oauth2/token/delegate` answers with. */
  delegation: "urn:remit:token-type:delegation",
} as const;

type Deps = {
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly mint: Mint;
  readonly issuer: string;
  readonly live: LiveTokens;
  readonly secrets: Pick<Secrets, "issue" | "digest">;
  readonly granted: () => void;
  /** Identity assertions for other authorization servers (`trusts`). */
  readonly issueIdJag: (call: GrantCall, idToken: string) => Promise<GrantAnswer>;
  /** What a person acts by for an organization that they belong to (`memberships`). */
  readonly actFor: (call: GrantCall, token: string) => Promise<GrantAnswer>;
};

/**
 * Token exchange (RFC 8693) between agents: a delegator offers its token to another agent by name (`requested_actor`),
 * and that agent exchanges the offer for a token of its own, in which `act` names everybody on the way. A token that
 * names nobody (`may_act`) cannot be exchanged by whoever got hold of it (G04). There is never a refresh token.
 */
export const tokenExchange = (deps: Deps): CustomGrant => ({
  type: tokenExchangeGrant,
  parameters: [
    "subject_token",
    "subject_token_type",
    "actor_token",
    "actor_token_type",
    "requested_token_type",
    "requested_actor",
    "organization_id",
  ],
  handle: async (call) => {
    const token = call.param("subject_token");
    if (token === undefined) throw refused("subject_token is missing.");
    const requested = call.param("requested_token_type") ?? tokenTypes.accessToken;
    const given = call.param("subject_token_type");
    if (requested === tokenTypes.idJag) {
      if (given !== tokenTypes.idToken) throw refused("An identity assertion is issued for an ID token.");
      return deps.issueIdJag(call, token);
    }
    if (requested !== tokenTypes.accessToken) throw refused("Only an access token is issued here.");
    if (given === tokenTypes.delegation) return exchangeHanded(deps, call, token);
    if (given !== tokenTypes.accessToken)
      throw refused("subject_token_type must be that of an access token or of a delegation.");
    if (call.param("organization_id") !== undefined) return deps.actFor(call, token);
    return exchange(deps, call, token);
  },
});

/** The key that the caller, an agent, has proven to hold; none of an agent that has none and may go without. */
function keyOf({ client, thumbprint }: GrantCall): string | undefined {
  if (client.kind !== "agent")
    throw new Problem("unauthorized_client", { detail: "Only an agent acts for somebody else." });
  if (thumbprint === undefined && !(client.bearer && client.authenticated))
    throw refused("A DPoP proof is needed.");
  if (thumbprint !== undefined && client.bearer)
    throw refused("The agent has no key that a token could be bound to: send no DPoP proof.");
  return thumbprint;
}

/** What was handed to the caller by a call, for a token of its own, as often as it wants while the delegation lasts. */
async function exchangeHanded(deps: Deps, call: GrantCall, token: string): Promise<GrantAnswer> {
  const { client, now } = call;
  const thumbprint = keyOf(call);
  if (call.param("requested_actor") !== undefined)
    throw refused("requested_actor goes with an access token; a delegation is handed on by its own call.");
  const found = await examineHanded(deps, { tenant: client.tenant, token, now });
  const offer = found.link?.offer;
  if (found.fault !== undefined || offer === undefined)
    throw refused("The token is not a delegation that stands.");
  await checkActorToken(deps, call);
  return issue(deps, call, { subject: offer, thumbprint, held: found.scopes });
}

async function exchange(deps: Deps, call: GrantCall, token: string): Promise<GrantAnswer> {
  const { client } = call;
  const thumbprint = keyOf(call);
  const subject = await liveToken(deps, token, call.now);
  await checkActorToken(deps, call);
  const wanted = call.param("requested_actor");
  if (wanted !== undefined) return offer(deps, call, { subject, wanted, thumbprint });
  if (subject.client_id === client.id)
    throw refused(
      "It is the caller's own token already; requested_actor names another agent to offer it to.",
    );
  return issue(deps, call, { subject, thumbprint });
}

async function liveToken({ db, ...own }: Deps, token: string, now: Instant): Promise<AccessTokenClaims> {
  const claims = readOwnToken(own, token, now);
  if (claims === undefined || !(await db.global.transaction((tx) => isTokenLive(tx, claims))))
    throw refused("The token is not a live access token of this issuer.");
  return claims;
}

/** The actor is the authenticated client; a token beside that may only say the same (RFC 8693 §2.1). */
async function checkActorToken(deps: Deps, call: GrantCall): Promise<void> {
  const token = call.param("actor_token");
  if (token === undefined) {
    if (call.param("actor_token_type") !== undefined)
      throw refused("actor_token_type came without actor_token.");
    return;
  }
  if (call.param("actor_token_type") !== tokenTypes.accessToken)
    throw refused("actor_token_type must be that of an access token.");
  const actor = await liveToken(deps, token, call.now);
  if (actor.client_id !== call.client.id || actor.cnf?.jkt !== call.thumbprint || actor.act !== undefined)
    throw refused("actor_token is not the caller's own.");
}

type Subject = {
  readonly subject: AccessTokenClaims;
  readonly thumbprint: string | undefined;
  /** What of the link may still be used; all of it unless told. */
  readonly held?: readonly string[];
};

/** The delegator's half: a token that nobody but the named agent can exchange. */
async function offer(
  deps: Deps,
  call: GrantCall,
  { subject, wanted, thumbprint }: Subject & { readonly wanted: string },
): Promise<GrantAnswer> {
  const to = parseId("agent", wanted);
  // Unbound, it would be a token of its own for whoever gets hold of it: `POST /oauth2/token/delegate` offers without one.
  if (thumbprint === undefined) throw refused("A DPoP proof is needed to offer a token.");
  if (subject.client_id !== call.client.id || subject.cnf?.jkt !== thumbprint)
    throw refused("An agent offers its own token alone.");
  if (to === undefined) throw refused("requested_actor is not an agent.");
  const { audience } = await targetFor(call, subject);
  if (audience !== subject.aud)
    throw new Problem("invalid_target", { detail: "The offer is for the same resource." });
  if (!parseId("agent", subject.sub))
    await deps.db.global.transaction((tx) => checkGrant(tx, { subject, agent: to, now: call.now }));
  const { delegation, token } = await delegate(deps, {
    own: subject,
    to,
    scopes: scopesOf(call),
    thumbprint,
    now: call.now,
  });
  return answerOf(token, {
    lifeS: secondsTo(delegation.expiresAt, call.now),
    scopes: delegation.scopes,
  });
}

/** The delegatee's half: a token of its own, never for more and never for longer. */
async function issue(deps: Deps, call: GrantCall, given: Subject): Promise<GrantAnswer> {
  const { client, now } = call;
  const { subject, thumbprint } = given;
  const target = await targetFor(call, subject);
  checkAudience(deps, subject, target);
  const { draft, facts } = await deps.db.of(subject.organization_id).transaction(async (tx) => {
    const link = await linkFor(tx, call, subject);
    const held = (given.held ?? link.scopes).filter((scope) => target.scopes.includes(scope));
    const scopes = scopesOf(call) ?? held;
    checkScopes(scopes, held);
    checkBinding(given, scopes);
    const decided: TokenFacts = {
      client: client.id,
      subject: subject.sub,
      tenant: tx.tenant,
      audience: target.audience,
      scopes,
      lifeS: lifeOf(subject, link, now),
      thumbprint,
      inherited: {
        ...inheritedOf(subject),
        delegation: link.id,
        // RFC 8693 §4.1: the current actor outermost, who acted before it within.
        act: { sub: client.id, ...(subject.act === undefined ? {} : { act: subject.act }) },
      },
    };
    const drafted = deps.mint.draft(decided);
    await recordIssued(tx, { call, facts: decided, jti: drafted.jti, link });
    return { draft: drafted, facts: decided };
  });
  return answerOf(await deps.mint.sign(draft), facts, thumbprint === undefined ? "Bearer" : "DPoP");
}

/** What a token without a key may carry (design section 5), and never for a person. */
function checkBinding({ thumbprint, subject }: Subject, scopes: readonly string[]): void {
  if (thumbprint !== undefined) return;
  if (parseId("agent", subject.sub) === undefined)
    throw refused("A DPoP proof is needed to act for a person.");
  if (!mayGoUnbound(scopes))
    throw new Problem("invalid_scope", { detail: "A bearer token cannot carry these scopes." });
}

/** Never beyond the token that is exchanged, nor beyond the link. */
function lifeOf(subject: AccessTokenClaims, link: Delegation, now: Instant): number {
  const ends = Math.min(subject.exp, toNumericDate(link.expiresAt));
  const lifeS = Math.min(delegatedLifeS, ends - toNumericDate(now));
  if (lifeS < 1) throw refused("The token that is exchanged has no second left.");
  return lifeS;
}

/**
 * Why the caller may act: the link that the token offers it. A person must have granted every agent that acts for them,
 * also at the end of a chain; the token that a person's own client holds is offered to nobody.
 */
async function linkFor(
  tx: TenantTx,
  { client, now }: GrantCall,
  subject: AccessTokenClaims,
): Promise<Delegation> {
  const agent = parseId("agent", client.id);
  invariant(agent !== undefined, "an agent's client has its id");
  if (subject.may_act?.sub !== agent)
    throw refused("The token does not say that the caller may act (may_act).");
  if (parseId("agent", subject.sub) === undefined) await checkGrant(tx, { subject, agent, now });
  const link = await offeredBy(tx, subject.jti, now);
  if (link?.delegatee !== agent) throw refused("The delegation has ended.");
  return link;
}

/** The person behind the token has granted this agent something that still stands. */
async function checkGrant(
  tx: Parameters<typeof grantOf>[0],
  { subject, agent, now }: { subject: AccessTokenClaims; agent: Id<"agent">; now: Instant },
): Promise<void> {
  const grant = subject.grant_id === undefined ? undefined : await grantOf(tx, subject.grant_id);
  if (grant === undefined || grant.revoked) throw refused("Nobody is known to have granted this token.");
  if (!(await hasGranted(tx, { account: grant.account, client: agent, now })))
    throw refused("The person has not granted this agent anything.");
}

const targetFor = (call: GrantCall, subject: AccessTokenClaims): Promise<Target> => {
  const named = call.list("audience");
  if (named.length > 1) throw new Problem("invalid_target", { detail: "Name one audience." });
  const resource = call.param("resource");
  if (named[0] !== undefined && resource !== undefined && named[0] !== resource)
    throw new Problem("invalid_target", { detail: "resource and audience differ." });
  return call.target(named[0] ?? subject.aud);
};

/**
 * A token for one resource is no way to another; one that an agent got for us by its own keys may be exchanged for any it
 * may call. What somebody else's word gave it is for what that word named.
 */
function checkAudience({ issuer }: Deps, subject: AccessTokenClaims, { audience }: Target): void {
  const open =
    subject.aud === issuer && subject.trust === undefined && parseId("agent", subject.sub) !== undefined;
  if (audience !== subject.aud && !open)
    throw new Problem("invalid_target", { detail: "The token is for another resource." });
}

function scopesOf(call: GrantCall): readonly string[] | undefined {
  const sent = call.param("scope");
  if (sent === undefined) return undefined;
  return [
    ...new Set(
      sent
        .split(" ")
        .filter(Boolean)
        .map((name) => parseScope(name) ?? name),
    ),
  ];
}

async function recordIssued(
  tx: TenantTx,
  { call, facts, jti, link }: { call: GrantCall; facts: TokenFacts; jti: string; link: Delegation },
): Promise<void> {
  const payload = {
    grant_type: tokenExchangeGrant,
    client: facts.client,
    audience: facts.audience,
    scope: facts.scopes.join(" "),
    delegation: link.id,
  };
  const actor = { type: "agent", id: facts.client } as const;
  await tx.record(newEvent("token.issued", { tenant: tx.tenant, actor, subject: jti, payload }, call.now));
}

const answerOf = (
  token: string,
  { lifeS, scopes }: { readonly lifeS: number; readonly scopes: readonly string[] },
  type: "DPoP" | "Bearer" = "DPoP",
): GrantAnswer => ({
  access_token: token,
  issued_token_type: tokenTypes.accessToken,
  token_type: type,
  expires_in: lifeS,
  scope: scopes.join(" "),
});

const secondsTo = (at: Instant, now: Instant): number => Math.floor((at - now) / secondMs);

// RFC 8693 §2.2.2: whatever is wrong with a subject or actor token is an invalid_request.
const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
