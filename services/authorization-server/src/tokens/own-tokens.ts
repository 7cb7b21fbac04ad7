import type { Instant } from "@remit/kernel";
import { type AccessTokenClaims, Problem } from "@remit/protocol";
import { verifyAccessToken } from "@remit/protocol/node";
import type { IssuerKeys } from "../keys/index.ts";

/** The purposes of the keys that sign access tokens. */
export const accessPurposes = ["access", "access-eddsa"] as const;

/**
 * The claims of an access token of this issuer, whomever it is for; undefined for everything else: another's, expired,
 * another kind of JWT (A02), no token at all. Whether it still counts is for the database to say.
 */
export function readOwnToken(
  { keys, issuer }: { readonly keys: IssuerKeys; readonly issuer: string },
  token: string,
  now: Instant,
): AccessTokenClaims | undefined {
  const known = keys.jwks(accessPurposes).keys;
  try {
    return verifyAccessToken({ token, issuer, audience: undefined, keys: known, now });
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** A JWT has three parts; our refresh tokens are one word. */
export const looksLikeJwt = (token: string): boolean => token.includes(".");
