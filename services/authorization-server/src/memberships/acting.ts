import { type Id, type Instant, parseId, toNumericDate } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { type AccessTokenClaims, newEvent, Problem } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import { type GrantAnswer, type GrantCall, tokenExchangeGrant } from "../oidc/index.ts";
import { findMembership } from "../organizations/index.ts";
import { isTokenLive, type Mint, readOwnToken, type TokenDraft } from "../tokens/index.ts";
import { scopesFor } from "./roles.ts";

type Deps = {
  readonly db: Database;
  readonly keys: IssuerKeys;
  readonly mint: Mint;
  readonly issuer: string;
};

const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
const lifeSMax = 300;

/**
 * A person chooses the organization they act for (RFC 8693, `organization_id` beside the parameters of §2.1): the wallet
 * exchanges its token of theirs for one in which `organization_id` is that organization and the scopes are those of their
 * role in it. It is bound to the same key, lives no longer, and ends with the session, the grant, and the membership.
 */
export const actFor =
  (deps: Deps) =>
  async (call: GrantCall, token: string): Promise<GrantAnswer> => {
    const own = await ownToken(deps, call, token);
    const organization = parseId("tenant", call.param("organization_id") ?? "");
    if (organization === undefined) throw notTheirs();
    const { audience, scopes: possible } = await call.target(deps.issuer);
    const { account, claims, thumbprint } = own;
    const lifeS = Math.min(lifeSMax, claims.exp - toNumericDate(call.now));
    if (lifeS < 1) throw refused("The token that is exchanged has no second left.");
    const { draft, scopes } = await deps.db.of(organization).transaction(async (tx) => {
      // Kept until the commit: whoever is taken out afterwards ends a token that says it was issued before.
      const here = await findMembership(tx, account, "share");
      if (here?.status !== "active") throw notTheirs();
      const given = wantedOf(
        call,
        scopesFor(here.role, claims.scope).filter((scope) => possible.includes(scope)),
      );
      const drafted = deps.mint.draft({
        client: call.client.id,
        subject: account,
        tenant: tx.tenant,
        audience,
        scopes: given,
        lifeS,
        thumbprint,
        inherited: signInOf(claims),
      });
      await recordIssued(tx, call, { draft: drafted, account, audience, scopes: given });
      return { draft: drafted, scopes: given };
    });
    return {
      access_token: await deps.mint.sign(draft),
      issued_token_type: accessTokenType,
      token_type: "DPoP",
      expires_in: lifeS,
      scope: scopes.join(" "),
    };
  };

type Own = {
  readonly account: Id<"account">;
  readonly claims: AccessTokenClaims;
  readonly thumbprint: string;
};

/** The caller's own live token of a person, for us, by which they act for themselves. */
async function ownToken({ db, ...own }: Deps, call: GrantCall, token: string): Promise<Own> {
  const { client, thumbprint, now } = call;
  if (client.kind !== "wallet")
    throw new Problem("unauthorized_client", { detail: "Only the wallet acts for people at organizations." });
  if (thumbprint === undefined) throw refused("A DPoP proof is needed.");
  for (const name of ["actor_token", "actor_token_type", "requested_actor"])
    if (call.param(name) !== undefined) throw refused(`${name} does not go with organization_id.`);
  const claims = readOwnToken(own, token, now);
  const account = claims && parseId("account", claims.sub);
  if (
    claims === undefined ||
    account === undefined ||
    claims.client_id !== client.id ||
    claims.cnf?.jkt !== thumbprint ||
    claims.aud !== own.issuer ||
    !claims.scope.includes("wallet:read") ||
    !(await db.global.transaction((tx) => isTokenLive(tx, claims)))
  )
    throw refused("The token is not a live one of a person for this issuer, with wallet:read.");
  return { account, claims, thumbprint };
}

/** How the person signed in, and what else ends the token. */
const signInOf = (own: AccessTokenClaims): Partial<AccessTokenClaims> => ({
  ...(own.grant_id === undefined ? {} : { grant_id: own.grant_id }),
  ...(own.sid === undefined ? {} : { sid: own.sid }),
  ...(own.acr === undefined ? {} : { acr: own.acr }),
  ...(own.amr === undefined ? {} : { amr: own.amr }),
  ...(own.auth_time === undefined ? {} : { auth_time: own.auth_time }),
});

function wantedOf(call: GrantCall, given: readonly string[]): readonly string[] {
  const sent = call.param("scope");
  if (sent === undefined) return given;
  const wanted = [...new Set(sent.split(" ").filter(Boolean))];
  const beyond = wanted.find((scope) => !given.includes(scope));
  if (beyond !== undefined)
    throw new Problem("invalid_scope", { detail: `Your role there does not give ${beyond}.` });
  return wanted;
}

type Issued = {
  readonly draft: TokenDraft;
  readonly account: Id<"account">;
  readonly audience: string;
  readonly scopes: readonly string[];
};

/** In the log of the organization: who acts for it. */
async function recordIssued(
  tx: TenantTx,
  { client, now }: { readonly client: GrantCall["client"]; readonly now: Instant },
  { draft, account, audience, scopes }: Issued,
): Promise<void> {
  const payload = {
    grant_type: tokenExchangeGrant,
    client: client.id,
    audience,
    scope: scopes.join(" "),
  };
  const actor = { type: "account", id: account } as const;
  await tx.record(newEvent("token.issued", { tenant: tx.tenant, actor, subject: draft.jti, payload }, now));
}

// The same for one that there is not, that the person is no member of, and that does not act (T07).
const notTheirs = (): Problem =>
  new Problem("invalid_target", {
    detail: "organization_id is not an organization that the person acts for.",
  });

// RFC 8693 §2.2.2.
const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
