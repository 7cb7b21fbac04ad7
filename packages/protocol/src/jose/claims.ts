import { type Instant, toNumericDate } from "@remit/kernel";
import type { Json, JsonObject } from "../encoding/index.ts";

/** How far two clocks may disagree about what has just been issued. Nothing lives longer because of it. */
export const clockSkewS = 60;

const textMax = 2048;

/** A text that is not empty and not longer than the limit (2048 unless told). */
export const isText = (value: Json | undefined, lengthMax = textMax): value is string =>
  typeof value === "string" && value.length > 0 && value.length <= lengthMax;

/** A NumericDate (RFC 7519 §2) in whole seconds between 1970 and 9999. */
export const isNumericDate = (value: Json | undefined): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0 && value <= 253_402_300_799;

/** RFC 7519 §4.1.4: `exp` is the first second at which the token is no longer accepted; no leeway. */
export const isExpired = (exp: number, now: Instant): boolean => now >= exp * 1000;

/** RFC 7519 §4.1.5 and §4.1.6: `nbf` or `iat` lies further ahead than clocks disagree. */
export const isAhead = (seconds: number, now: Instant): boolean => seconds > toNumericDate(now) + clockSkewS;

/** Whether `iat` lies within ± `clockSkewS` of now: what proofs made for one request must satisfy. */
export const isFresh = (iat: number, now: Instant): boolean =>
  Math.abs(toNumericDate(now) - iat) <= clockSkewS;

/** The claims `iat`, `nbf` and `exp` in words when one of them refuses now, else undefined. */
export function whyNotNow(claims: JsonObject, now: Instant): string | undefined {
  const { iat, nbf, exp } = claims;
  if (!isNumericDate(iat) || !isNumericDate(exp)) return "iat and exp must be whole seconds.";
  if (nbf !== undefined && !isNumericDate(nbf)) return "nbf must be whole seconds.";
  if (isExpired(exp, now)) return "It has expired.";
  return isAhead(iat, now) || (nbf !== undefined && isAhead(nbf, now)) ? "It is not valid yet." : undefined;
}
