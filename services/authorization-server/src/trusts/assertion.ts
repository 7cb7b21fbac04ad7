import { fromNumericDate, type Instant, toNumericDate } from "@remit/kernel";
import type { KeySource, Outbound } from "@remit/platform/outbound";
import {
  checkOf,
  isAhead,
  isExpired,
  type JsonObject,
  keyFor,
  Problem,
  type PublicJwk,
  parseJws,
} from "@remit/protocol";
import { holds, thumbprint } from "@remit/protocol/node";
import { type AssertionRules, concerns, type Form, formOf, whyNot } from "./rules.ts";

/** An assertion that holds under the rules of one trust. */
export type Proven = {
  readonly claims: JsonObject;
  /** The key of its single use and how long that is remembered; undefined where an assertion may come again. */
  readonly once: { readonly key: string; readonly until: Instant } | undefined;
};

export type AssertionDeps = {
  /** Our issuer: the audience of every assertion. */
  readonly issuer: string;
  readonly github: { readonly issuer: string; readonly jwksUri: string };
  readonly outbound: Pick<Outbound, "jwksOf">;
};

/** Why an assertion does not hold, for our log; the sender learns less. */
export type Refused = { readonly because: string };

/**
 * RFC 7523 §3: an assertion against the rules of one trust. The key comes from the place that the trust names and from
 * nowhere else (A14); headers that bring or name a key are refused (A01). All that needs no key is looked at before.
 */
export async function examineAssertion(
  deps: AssertionDeps,
  { assertion, rules, now }: { assertion: string; rules: AssertionRules; now: Instant },
): Promise<Proven | Refused> {
  const form = formOf(rules);
  const jws = parsed(assertion, form);
  if ("because" in jws) return jws;
  const { header, payload } = jws;
  if (!concerns(rules, payload, deps.github.issuer)) return { because: "It is from another issuer." };
  const because =
    whyNotForUs(payload, deps.issuer) ?? whyNotNow(payload, form, now) ?? whyNot(rules, payload);
  if (because !== undefined) return { because };
  if (form.singleUse && singleUseOf(payload) === undefined) return { because: "jti must be a short text." };
  const keys = await keysOf(deps, rules)(header.kid);
  const key = keyFor(usable(rules, keys), header);
  if (key === undefined) return { because: "Its key is not one of the issuer's." };
  if (!holds(checkOf(jws, key, "invalid_grant"))) return { because: "The signature does not hold." };
  const once = form.singleUse ? singleUseOf(payload) : undefined;
  // By the key that signed: whoever configures an issuer of the same name with other keys uses up nobody's assertions.
  return {
    claims: payload,
    once: once && { key: `assertion:${thumbprint(key)}:${once.jti}`, until: once.until },
  };
}

const clocksS = 60;

function singleUseOf({ jti, exp }: JsonObject): { jti: string; until: Instant } | undefined {
  const short = typeof jti === "string" && jti !== "" && jti.length <= 255;
  // Remembered for as long as any process of ours, whose clock may be a minute behind or ahead, could still take it.
  return short && isSeconds(exp) ? { jti, until: fromNumericDate(exp + 2 * clocksS) } : undefined;
}

function parsed(assertion: string, { typ, algs }: Form): ReturnType<typeof parseJws> | Refused {
  try {
    return parseJws(assertion, { typ, algs, refuse: "invalid_grant" });
  } catch (error) {
    if (error instanceof Problem) return { because: error.detail ?? error.code };
    throw error;
  }
}

/** One audience, ours: with another beside it, the other could play the assertion here (RFC 8725 §3.9). */
function whyNotForUs({ aud }: JsonObject, issuer: string): string | undefined {
  const one = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  return one === issuer ? undefined : "aud must be this issuer alone.";
}

/** RFC 7523 §3 (4) to (6). `iat` may be missing (JWT-SVID §3); then the rest of its life counts. */
function whyNotNow({ iat, nbf, exp }: JsonObject, { lifeSMax }: Form, now: Instant): string | undefined {
  if (!isSeconds(exp)) return "exp must be whole seconds.";
  for (const from of [iat, nbf]) {
    if (from === undefined) continue;
    if (!isSeconds(from)) return "iat and nbf must be whole seconds.";
    if (isAhead(from, now)) return "It is not valid yet.";
  }
  if (isExpired(exp, now)) return "It has expired.";
  const since = isSeconds(iat) ? iat : toNumericDate(now);
  return exp - since > lifeSMax ? `It lives longer than ${lifeSMax} s.` : undefined;
}

const isSeconds = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;

function keysOf({ github, outbound }: AssertionDeps, rules: AssertionRules): KeySource {
  if (rules.kind === "github") return outbound.jwksOf(github.jwksUri);
  const { keys } = rules;
  return "jwks" in keys ? async () => keys.jwks.keys : outbound.jwksOf(keys.jwks_uri);
}

/** Of a SPIFFE bundle, the keys for JWTs: its X.509 roots are in the same list (SPIFFE trust domain and bundle §4.2.2). */
const usable = ({ kind }: AssertionRules, keys: readonly PublicJwk[]): readonly PublicJwk[] =>
  kind === "spiffe" ? keys.filter(({ use }) => use === "jwt-svid") : keys;
