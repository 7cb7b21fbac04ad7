import type { Clock, Instant } from "@remit/kernel";
import {
  type AccessTokenClaims,
  challenged,
  createDpopNonces,
  type DpopNonces,
  keyIdOf,
  Problem,
  readAuthorization,
} from "@remit/protocol";
import { hmacSha256, verifyAccessToken, verifyCall, verifyDpopProof } from "@remit/protocol/node";
import type { Misuses } from "../misuse/index.ts";
import type { KeySource } from "../outbound/index.ts";
import type { Authenticate, Authenticated, Credentials } from "./authenticate.ts";
import { refusedTo } from "./follow.ts";
import { resourceMetadataUrl } from "./protected-resource.ts";
import type { Caller, TokenNeeds } from "./route.ts";

export type ResourceServerOptions = {
  readonly issuer: string;
  /** Our origin. Compared exactly. */
  readonly audience: string;
  readonly keys: KeySource;
  /** True when the key was not claimed before: `createFirstUses(db).claim` of `platform/once`. */
  readonly claim: (key: string, until: Instant) => Promise<boolean>;
  /** 32 bytes, equal in all processes of the service (`keyring.derive("dpop-nonce")`). Without it no nonce is asked for. */
  readonly nonceSecret?: Uint8Array;
  /** The database's word on token, agent, session: our own, or the issuer's (`askIssuer` of `platform/peers`). */
  readonly isRevoked?: (claims: AccessTokenClaims, token: string) => Promise<boolean>;
  /** Where the service describes itself as a protected resource (RFC 9728), for its challenges; `null` when nowhere. */
  readonly metadataUrl?: string | null;
  /** Told of a token of ours that was presented with another key than the one it is bound to, or with none. */
  readonly misuses?: Misuses;
  readonly clock: Clock;
};

type Checks = ResourceServerOptions & { readonly nonces: DpopNonces | undefined };

/**
 * Who calls, by an access token of the issuer and, for a token bound to a key, a DPoP proof of this very request
 * (`protocol/resource-server`, the same for merchants). Costly and durable steps come last: first use is claimed when all
 * else holds.
 */
export function resourceServer(options: ResourceServerOptions): Authenticate {
  const { nonceSecret, metadataUrl = resourceMetadataUrl(options.audience) } = options;
  const nonces = nonceSecret === undefined ? undefined : createDpopNonces(hmacSha256(nonceSecret));
  const checks: Checks = { ...options, nonces };
  const authenticates = async (credentials: Credentials, needs: TokenNeeds): Promise<Authenticated> => {
    try {
      return await authenticate(checks, credentials, needs);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      if (misusable.has(error.code)) await noticeMisuse(checks, credentials);
      const tried = credentials.authorization !== undefined;
      const described = metadataUrl === null ? {} : { metadataUrl };
      const refusal = challenged(error, needs, {
        nonce: nonces?.issue(credentials.now),
        ...described,
        tried,
      });
      // All else about the token and its proof held: its owner may know that it asked for too much.
      throw error.code === "insufficient_scope"
        ? refusedTo(refusal, await callerIn(checks, credentials))
        : refusal;
    }
  };
  return Object.assign(authenticates, { issuer: options.issuer });
}

async function authenticate(
  checks: Checks,
  credentials: Credentials,
  needs: TokenNeeds,
): Promise<Authenticated> {
  const { issuer, audience, nonces } = checks;
  const keys = await checks.keys(keyIdOf(readAuthorization(credentials.authorization).token));
  const call = verifyCall({ credentials, rules: { issuer, audience, keys }, needs, nonces });
  const { claims, token, proven } = call;
  if (await checks.isRevoked?.(claims, token)) throw new Problem("token_revoked");
  if (proven !== undefined && !(await checks.claim(proven.firstUse.key, proven.firstUse.until)))
    throw new Problem("invalid_dpop_proof", { detail: "The proof has been used." });
  const fresh = proven?.nonceIsAging === true ? nonces?.issue(credentials.now) : undefined;
  return { caller: callerOf(claims), ...(fresh === undefined ? {} : { headers: { "DPoP-Nonce": fresh } }) };
}

// What a token without its key is refused with.
const misusable: ReadonlySet<string> = new Set(["invalid_dpop_proof", "invalid_token", "use_dpop_nonce"]);

/**
 * RFC 9449 §1: a bound token is worth nothing without its key, so whoever shows one without it should not have it (G09). The
 * token is genuine, and the proof beside it is of this very token by a key of somebody else; a proof that is merely wrong says
 * nothing of keys.
 */
async function noticeMisuse(checks: Checks, credentials: Credentials): Promise<void> {
  const { misuses, issuer, audience } = checks;
  const { authorization, now } = credentials;
  if (misuses === undefined || authorization === undefined) return;
  const seen = await orUndefined(async () => {
    const { scheme, token } = readAuthorization(authorization);
    const keys = await checks.keys(keyIdOf(token));
    const claims = verifyAccessToken({ token, issuer, audience, keys, now });
    const presented = scheme === "bearer" ? undefined : proofOf({ ...credentials, token });
    return { claims, presented };
  });
  if (seen === undefined || seen.claims.cnf === undefined) return;
  const { client_id: client, organization_id: tenant, cnf } = seen.claims;
  if (seen.presented === cnf.jkt) return;
  await misuses.keyMismatch({
    client,
    tenant,
    what: "access_token",
    bound: cnf.jkt,
    presented: seen.presented,
    now,
  });
}

/** The key of a proof of this request and token, whatever its nonce. */
function proofOf({ method, url, now, dpop = "", token }: Credentials & { readonly token: string }): string {
  return verifyDpopProof({ proof: dpop, method, url, now, accessToken: token }).thumbprint;
}

/** Undefined where that is refused. */
async function orUndefined<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Whose token it is, whatever it may do. */
async function callerIn(checks: Checks, { authorization, now }: Credentials): Promise<Caller> {
  const { token } = readAuthorization(authorization);
  const { issuer, audience } = checks;
  const keys = await checks.keys(keyIdOf(token));
  return callerOf(verifyAccessToken({ token, issuer, audience, keys, now }));
}

function callerOf(claims: AccessTokenClaims): Caller {
  return {
    tenant: claims.organization_id,
    client: claims.client_id,
    subject: claims.sub,
    scopes: new Set(claims.scope),
    actor: { type: actorTypeOf(claims), id: claims.sub === claims.client_id ? claims.client_id : claims.sub },
    ...(claims.cnf === undefined ? {} : { thumbprint: claims.cnf.jkt }),
    claims,
  };
}

function actorTypeOf({ sub, client_id }: AccessTokenClaims): Caller["actor"]["type"] {
  if (sub.startsWith("acc_")) return "account";
  if (sub.startsWith("agt_") || client_id.startsWith("agt_")) return "agent";
  return client_id.startsWith("cli_") ? "client" : "service";
}
