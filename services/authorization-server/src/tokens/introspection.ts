import { type Clock, type Id, parseId } from "@remit/kernel";
import type { AccessTokenClaims, ActClaim } from "@remit/protocol";
import type { IssuerKeys } from "../keys/index.ts";
import { type Asker, isBusinessOf } from "./askers.ts";
import { looksLikeJwt, readOwnToken } from "./own-tokens.ts";
import type { RefreshTokens } from "./refresh-tokens.ts";
import type { ScanGuard } from "./scan-guard.ts";
import type { LiveTokens } from "./tokens.ts";

/** What is said of a token (RFC 7662 §2.2, seeds 1.12). Of one that is not the asker's business, not a word more. */
export type TokenReport = { readonly active: false } | ActiveToken;

export type ActiveToken = {
  readonly active: true;
  readonly iss: string;
  readonly sub?: string;
  readonly aud?: string;
  readonly client_id: string;
  readonly scope?: string;
  readonly exp: number;
  readonly iat: number;
  readonly jti?: string;
  readonly token_type?: "DPoP" | "Bearer";
  readonly cnf?: { readonly jkt: string };
  readonly organization_id: Id<"tenant">;
  readonly agent_client_id?: string;
  readonly mandate_id?: Id<"mandate">;
  readonly act?: ActClaim;
  readonly acr?: string;
  readonly amr?: readonly string[];
  readonly auth_time?: number;
  readonly sid?: string;
  readonly livemode?: boolean;
};

export type IntrospectionDeps = {
  readonly live: LiveTokens;
  readonly keys: IssuerKeys;
  readonly issuer: string;
  readonly clock: Clock;
  readonly refreshTokens: RefreshTokens;
  readonly scans: ScanGuard;
};

const inactive: TokenReport = { active: false };

/**
 * RFC 7662: whether a token counts at this moment, by the database and no cache (A11), for somebody who has business
 * with it. Unknown, expired, revoked and another's are one answer (A12); whoever gets it too often is refused for a while.
 */
export async function introspect(deps: IntrospectionDeps, token: string, asker: Asker): Promise<TokenReport> {
  deps.scans.check(asker);
  return looksLikeJwt(token) ? introspectJwt(deps, token, asker) : introspectRefresh(deps, token, asker);
}

async function introspectJwt(deps: IntrospectionDeps, token: string, asker: Asker): Promise<TokenReport> {
  const claims = readOwnToken(deps, token, deps.clock.now());
  if (claims === undefined || !(await mayKnow(asker, claims))) return missed(deps, asker);
  return (await deps.live.isLive(claims)) ? factsOf(claims) : inactive;
}

async function introspectRefresh(deps: IntrospectionDeps, token: string, asker: Asker): Promise<TokenReport> {
  const found = await deps.refreshTokens.findLive(token);
  if (found === undefined || !isBusinessOf(asker, found)) return missed(deps, asker);
  const { client, tenant, account, mandate, scope, jkt, iat, exp } = found;
  return {
    active: true,
    iss: deps.issuer,
    client_id: client,
    exp,
    iat,
    organization_id: tenant,
    ...(account === undefined ? {} : { sub: account }),
    ...(scope === undefined ? {} : { scope }),
    ...(jkt === undefined ? {} : { cnf: { jkt } }),
    ...(mandate === undefined ? {} : { mandate_id: mandate }),
    ...agentOf(client),
  };
}

const mayKnow = async (asker: Asker, claims: AccessTokenClaims): Promise<boolean> =>
  isBusinessOf(asker, { client: claims.client_id, tenant: claims.organization_id }) ||
  asker.serves(claims.aud);

function missed({ scans }: IntrospectionDeps, asker: Asker): TokenReport {
  scans.missed(asker);
  return inactive;
}

function factsOf({ scope, ...claims }: AccessTokenClaims): ActiveToken {
  const { grant_id: _, ...told } = claims;
  return {
    active: true,
    ...told,
    ...(scope.length === 0 ? {} : { scope: scope.join(" ") }),
    token_type: claims.cnf === undefined ? "Bearer" : "DPoP",
    ...agentOf(claims.client_id),
  };
}

const agentOf = (client: string): { readonly agent_client_id?: string } =>
  parseId("agent", client) === undefined ? {} : { agent_client_id: client };
