import type { Instant } from "@remit/kernel";
import { type AccessTokenClaims, Problem, payloadOf } from "@remit/protocol";
import { verifyAccessToken } from "@remit/protocol/node";
import type { IssuerKeys } from "../keys/index.ts";

/**
 * The claims of an access token of ours, whomever it is for; undefined for anything else: another issuer's, an ID token,
 * a mandate, one that has expired. Whether it still counts is for `isTokenLive` to say.
 */
export function readOwnToken(
  { keys, issuer }: { readonly keys: IssuerKeys; readonly issuer: string },
  token: string,
  now: Instant,
): AccessTokenClaims | undefined {
  const audience = payloadOf(token)?.["aud"];
  if (typeof audience !== "string") return undefined;
  const known = keys.jwks(["access", "access-eddsa"]).keys;
  try {
    return verifyAccessToken({ token, issuer, audience, keys: known, now });
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
