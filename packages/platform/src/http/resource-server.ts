import { after, type Clock, fromNumericDate, type Instant, instantOf, secondMs } from "@remit/kernel";
import { type AccessTokenClaims, isScope, keyIdOf, mayBeBearer, Problem } from "@remit/protocol";
import { sha256b64url, verifyAccessToken, verifyDpopProof } from "@remit/protocol/node";
import type { KeySource } from "../outbound/index.ts";
import type { Authenticate, Authenticated, Credentials } from "./authenticate.ts";
import { challenged } from "./challenges.ts";
import { createDpopNonces, type DpopNonces } from "./dpop-nonces.ts";
import type { Caller, TokenNeeds } from "./route.ts";

export type ResourceServerOptions = {
  readonly issuer: string;
  /** Our origin. Compared exactly. */
  readonly audience: string;
  readonly keys: KeySource;
  /** True when the key was not claimed before: `(key, until) => db.global.transaction((tx) => claimFirstUse(tx, key, until))`. */
  readonly claim: (key: string, until: Instant) => Promise<boolean>;
  /** 32 bytes, equal in all processes of the service (`keyring.derive("dpop-nonce")`). Without it no nonce is asked for. */
  readonly nonceSecret?: Uint8Array;
  /** The database's word on token, agent, session. */
  readonly isRevoked?: (claims: AccessTokenClaims) => Promise<boolean>;
  readonly clock: Clock;
};

type Checks = ResourceServerOptions & { readonly nonces: DpopNonces | undefined };

const replayMs = 120 * secondMs;
const bearerLifeSMax = 900;

/**
 * Who calls, by an access token of the issuer (RFC 9068 §4) and, for a token bound to a key, a DPoP proof of this very
 * request (RFC 9449 §7). Costly and durable steps come last: the proof's first use is claimed when all else holds.
 */
export function resourceServer(options: ResourceServerOptions): Authenticate {
  const nonces = options.nonceSecret === undefined ? undefined : createDpopNonces(options.nonceSecret);
  const checks: Checks = { ...options, nonces };
  return async (credentials, needs) => {
    const freshNonce = nonces?.issue(credentials.now);
    try {
      return await authenticate(checks, credentials, needs);
    } catch (error) {
      throw error instanceof Problem ? challenged(error, needs, freshNonce) : error;
    }
  };
}

async function authenticate(
  checks: Checks,
  credentials: Credentials,
  needs: TokenNeeds,
): Promise<Authenticated> {
  const { scheme, token } = readAuthorization(credentials.authorization);
  const claims = await readToken(checks, token, credentials.now);
  const binding = claims.cnf === undefined ? "bearer" : "dpop";
  // RFC 9449 §7.2: a bound token presented as a bearer token is refused, or the binding would be worth nothing.
  if (binding !== scheme)
    throw new Problem("invalid_token", { detail: `The token is not one for ${scheme}.` });
  if (binding === "bearer") checkBearer(claims, needs);
  const proven = binding === "dpop" ? proveKey(checks, { credentials, token, claims }) : undefined;
  checkPermission(claims, needs, credentials.now);
  if (await checks.isRevoked?.(claims)) throw new Problem("token_revoked");
  if (proven !== undefined && !(await checks.claim(proven.claimKey, proven.claimUntil)))
    throw new Problem("invalid_dpop_proof", { detail: "The proof has been used." });
  return { caller: callerOf(claims), ...(proven?.headers === undefined ? {} : { headers: proven.headers }) };
}

function readAuthorization(header: string | undefined): { scheme: "dpop" | "bearer"; token: string } {
  if (header === undefined) throw new Problem("invalid_token", { detail: "An access token is needed." });
  const match = /^(dpop|bearer) +([A-Za-z0-9._~+/-]+=*)$/i.exec(header);
  const scheme = match?.[1]?.toLowerCase();
  if (match?.[2] === undefined || (scheme !== "dpop" && scheme !== "bearer"))
    throw new Problem("invalid_token", { detail: "Authorization is neither DPoP nor Bearer with a token." });
  return { scheme, token: match[2] };
}

async function readToken(checks: Checks, token: string, now: Instant): Promise<AccessTokenClaims> {
  const { issuer, audience } = checks;
  const keys = await checks.keys(keyIdOf(token));
  return verifyAccessToken({ token, issuer, audience, keys, now });
}

function checkBearer(claims: AccessTokenClaims, needs: TokenNeeds): void {
  const carried = claims.scope.filter(isScope);
  if (needs.bearer !== true || !carried.every(mayBeBearer))
    throw new Problem("invalid_token", { detail: "This call needs a token that is bound to a key." });
  if (claims.exp - claims.iat > bearerLifeSMax)
    throw new Problem("invalid_token", { detail: "The token lives too long for a bearer token." });
}

type Proven = {
  readonly claimKey: string;
  readonly claimUntil: Instant;
  readonly headers: Readonly<Record<string, string>> | undefined;
};

function proveKey(
  { nonces }: Checks,
  { credentials, token, claims }: { credentials: Credentials; token: string; claims: AccessTokenClaims },
): Proven {
  const { method, url, now, dpop } = credentials;
  if (dpop === undefined) throw new Problem("invalid_dpop_proof", { detail: "A DPoP proof is needed." });
  const proof = verifyDpopProof({
    proof: dpop,
    method,
    url,
    now,
    accessToken: token,
    ...(claims.cnf === undefined ? {} : { requiredThumbprint: claims.cnf.jkt }),
    ...(nonces === undefined ? {} : { nonce: (nonce) => nonces.judge(nonce, now) !== "refused" }),
  });
  const aging = proof.nonce !== undefined && nonces?.judge(proof.nonce, now) === "aging";
  return {
    claimKey: `dpop:${proof.thumbprint}:${sha256b64url(proof.jti)}`,
    claimUntil: after(instantOf(Math.max(now, fromNumericDate(proof.iat))), replayMs),
    headers: aging ? { "DPoP-Nonce": nonces.issue(now) } : undefined,
  };
}

/** RFC 6750 §3.1 and RFC 9470 §3. */
function checkPermission(claims: AccessTokenClaims, { scope, stepUp }: TokenNeeds, now: Instant): void {
  const accepted: readonly string[] = [scope].flat();
  if (!accepted.some((name) => claims.scope.includes(name))) throw new Problem("insufficient_scope");
  if (stepUp === undefined) return;
  const { acrValues, maxAgeS } = stepUp;
  const strong = claims.acr !== undefined && acrValues.includes(claims.acr);
  const fresh =
    maxAgeS === undefined || (claims.auth_time !== undefined && now / secondMs - claims.auth_time <= maxAgeS);
  if (!strong || !fresh) throw new Problem("insufficient_user_authentication");
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
