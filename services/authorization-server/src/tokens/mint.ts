import { type Clock, fromNumericDate, type Id, type Instant, toNumericDate } from "@remit/kernel";
import type { MintToken } from "@remit/platform/peers";
import type { AccessTokenClaims, JsonObject } from "@remit/protocol";
import { randomText } from "@remit/protocol/node";
import type { IssuerKeys } from "../keys/index.ts";
import { platformTenant } from "../tenants/index.ts";

const ownLifeS = 300;

type Minting = {
  readonly keys: IssuerKeys;
  readonly issuer: string;
  readonly livemode: boolean;
  readonly clock: Clock;
};

type Stated = "iss" | "sub" | "aud" | "client_id" | "jti" | "iat" | "exp" | "scope" | "livemode" | "cnf";

/** What an access token says; `inherited` is what came from the token or grant before it. */
export type TokenFacts = {
  readonly client: string;
  readonly subject: string;
  readonly tenant: Id<"tenant">;
  readonly audience: string;
  readonly scopes: readonly string[];
  readonly lifeS: number;
  /** The key it is bound to (RFC 9449 §6); without it, it is a bearer token. */
  readonly thumbprint: string | undefined;
  readonly inherited?: Omit<Partial<AccessTokenClaims>, Stated | "organization_id">;
};

/** A token that is decided and not signed yet: its `jti` can be recorded in the transaction that decides. */
export type TokenDraft = { readonly claims: JsonObject; readonly jti: string; readonly expiresAt: Instant };

/** Makes access tokens (RFC 9068) where the core does not: the same claims and the same key as everywhere. */
export type Mint = {
  draft(facts: TokenFacts): TokenDraft;
  /** May ask a signer on another machine, so no transaction is open meanwhile. */
  sign(draft: TokenDraft): Promise<string>;
};

export const createMint = ({ keys, issuer, livemode, clock }: Minting): Mint => ({
  draft: ({ client, subject, tenant, audience, scopes, lifeS, thumbprint, inherited = {} }) => {
    const iat = toNumericDate(clock.now());
    const jti = randomText();
    const claims = {
      ...inherited,
      iss: issuer,
      sub: subject,
      client_id: client,
      aud: audience,
      scope: scopes.join(" "),
      jti,
      iat,
      exp: iat + lifeS,
      organization_id: tenant,
      livemode,
      ...(thumbprint === undefined ? {} : { cnf: { jkt: thumbprint } }),
    };
    return { claims, jti, expiresAt: fromNumericDate(iat + lifeS) };
  },
  sign: ({ claims }) => keys.sign("access", { typ: "at+jwt" }, claims),
});

/** The authorization server's own token for a service of ours: the same that it would give a peer. */
export const mintOwnToken = (minting: Minting): MintToken => {
  const mint = createMint(minting);
  const self = { client: "authorization-server", subject: "authorization-server", tenant: platformTenant };
  return async ({ audience, scope, thumbprint }) => {
    const draft = mint.draft({ ...self, audience, scopes: scope.split(" "), lifeS: ownLifeS, thumbprint });
    return { token: await mint.sign(draft), expiresAt: draft.expiresAt };
  };
};
