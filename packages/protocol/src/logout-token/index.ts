import type { Instant } from "@remit/kernel";
import { isJsonObject, type Json, type JsonObject } from "../encoding/index.ts";
import {
  checkOf,
  isNumericDate,
  isText,
  keyFor,
  type PublicJwk,
  parseJws,
  type Unproven,
  whyNotNow,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** The member of `events` that makes a token one of these (OpenID Connect Back-Channel Logout 1.0 §2.4). */
export const logoutEvent = "http://schemas.openid.net/event/backchannel-logout";

/** None of ours lives longer: `jti` need not be remembered for ever. */
export const logoutTokenLifetimeSMax = 300;

export type LogoutTokenInput = {
  /** `logout_token` as it was posted. */
  readonly token: string;
  readonly issuer: string;
  /** Of the relying party. */
  readonly clientId: string;
  /** Of the issuer, as for its ID tokens. */
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
};

/**
 * A logout that holds: of one session (`sid`, as in its ID token), or of all that a person has (`sub` alone). That
 * `jti` is new until `exp` (seconds) is for the caller to claim.
 */
export type LogoutToken = {
  readonly sub: string | undefined;
  readonly sid: string | undefined;
  readonly jti: string;
  readonly exp: number;
};

const jtiLengthMax = 256;

/**
 * OpenID Connect Back-Channel Logout 1.0 §2.6, all but the signature (still a check) and the first use of `jti`. An ID
 * token does not pass, nor a security event of another kind: `typ`, `events`, and no `nonce`. Throws `invalid_request`,
 * as §2.8 has it answered.
 */
export function examineLogoutToken(input: LogoutTokenInput): Unproven<LogoutToken> {
  const jws = parseJws(input.token, {
    typ: ["logout+jwt"],
    algs: ["ES256", "EdDSA"],
    refuse: "invalid_request",
  });
  const { payload } = jws;
  if (payload["iss"] !== input.issuer) throw refused("iss must be the issuer.");
  if (!isMeantFor(payload["aud"], input.clientId)) throw refused("aud must be this client.");
  const because = whyNotNow(payload, input.now);
  if (because !== undefined) throw refused(because);
  const { iat, exp, nonce } = payload;
  if (!isNumericDate(iat) || !isNumericDate(exp) || exp - iat > logoutTokenLifetimeSMax)
    throw refused(`exp must be at most ${logoutTokenLifetimeSMax} seconds after iat.`);
  if (nonce !== undefined) throw refused("A logout token has no nonce.");
  if (!isLogout(payload["events"])) throw refused("events must be that of a logout.");
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The token's key is not one of the issuer's.");
  return { checks: [checkOf(jws, key, "invalid_request")], value: { ...whoseOf(payload), exp } };
}

const isMeantFor = (aud: Json | undefined, clientId: string): boolean =>
  aud === clientId || (Array.isArray(aud) && aud.includes(clientId));

const isLogout = (events: Json | undefined): boolean =>
  isJsonObject(events) && Object.hasOwn(events, logoutEvent) && isJsonObject(events[logoutEvent]);

function whoseOf({ sub, sid, jti }: JsonObject): Omit<LogoutToken, "exp"> {
  if (!isText(jti) || jti.length > jtiLengthMax) throw refused("jti must be a short text.");
  for (const text of [sub, sid])
    if (text !== undefined && !isText(text)) throw refused("sub and sid are texts.");
  if (sub === undefined && sid === undefined) throw refused("sub or sid must say who is signed out.");
  return { sub: isText(sub) ? sub : undefined, sid: isText(sid) ? sid : undefined, jti };
}

const refused = (detail: string): Problem => new Problem("invalid_request", { detail });
