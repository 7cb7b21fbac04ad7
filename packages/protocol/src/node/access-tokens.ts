import type { Instant } from "@remit/kernel";
import { type AccessTokenClaims, type AccessTokenInput, examineAccessToken } from "../access-token/index.ts";
import { type PublicJwk, whyNotNow } from "../jose/index.ts";
import { settle } from "./signatures.ts";

type Held = {
  readonly claims: AccessTokenClaims;
  readonly key: PublicJwk;
  /** What was true from here on of the times in the token stays true until it expires. */
  readonly since: Instant;
};

const heldMax = 4_096;
// A Map keeps the order of insertion: its first entry is the one that was used least recently.
const held = new Map<string, Held>();

/**
 * RFC 9068 §4, but for revocation. A token comes with call after call in the same bytes: that its signature held under a
 * key, and what it says, is remembered; issuer, audience, keys and times are judged anew each time, and whatever does not
 * hold any more is examined from the start, so that every refusal is the first one's.
 */
export function verifyAccessToken(input: AccessTokenInput): AccessTokenClaims {
  const known = held.get(input.token);
  if (known !== undefined && stillHolds(known, input)) {
    held.delete(input.token);
    held.set(input.token, known);
    return known.claims;
  }
  const examined = examineAccessToken(input);
  const claims = frozen(settle(examined));
  const [check] = examined.checks;
  if (check !== undefined) hold(input.token, { claims, key: check.key, since: input.now });
  return claims;
}

function stillHolds(
  { claims, key, since }: Held,
  { issuer, audience, keys, now }: AccessTokenInput,
): boolean {
  return (
    now >= since &&
    keys.includes(key) &&
    claims.iss === issuer &&
    (audience === undefined || claims.aud === audience) &&
    whyNotNow({ iat: claims.iat, exp: claims.exp }, now) === undefined
  );
}

function hold(token: string, it: Held): void {
  // A text of its own: a slice would keep the whole request that it was cut from.
  held.set(Buffer.from(token).toString(), it);
  if (held.size > heldMax) held.delete(held.keys().next().value ?? "");
}

/** Whoever verifies the same token next gets the same object. */
function frozen<T extends object>(value: T): T {
  for (const inner of Object.values(value)) if (typeof inner === "object" && inner !== null) frozen(inner);
  return Object.freeze(value);
}
