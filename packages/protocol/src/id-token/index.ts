import { fromNumericDate, type Instant } from "@remit/kernel";
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

export type IdTokenInput = {
  readonly token: string;
  readonly issuer: string;
  /** Of the relying party. */
  readonly clientId: string;
  /** What the request that it answers carried. */
  readonly nonce: string;
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
};

/** Who signed in, how and when, and in which session of the issuer's. */
export type IdToken = {
  readonly sub: string;
  readonly sid: string;
  readonly acr: string;
  readonly authTime: Instant;
  readonly name: string | undefined;
  readonly email: string | undefined;
};

/** OpenID Connect Core 1.0 §3.1.3.7, all but the signature (still a check). Throws `invalid_token`. */
export function examineIdToken(input: IdTokenInput): Unproven<IdToken> {
  const jws = parseJws(input.token, {
    typ: [undefined, "JWT"],
    algs: ["ES256", "EdDSA"],
    refuse: "invalid_token",
  });
  const { iss, aud, azp, nonce, sub, sid, acr, auth_time: authTime, name, email } = jws.payload;
  if (iss !== input.issuer) throw refused("iss must be the issuer.");
  if (aud !== input.clientId) throw refused("aud must be this client alone.");
  if (azp !== undefined && azp !== input.clientId) throw refused("azp must be this client.");
  if (nonce !== input.nonce) throw refused("nonce must be that of the request.");
  const because = whyNotNow(jws.payload, input.now);
  if (because !== undefined) throw refused(because);
  if (!isText(sub) || !isText(sid) || !isText(acr) || !isNumericDate(authTime))
    throw refused("sub, sid, acr and auth_time must say who signed in, where, how and when.");
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The token's key is not one of the issuer's.");
  return {
    checks: [checkOf(jws, key, "invalid_token")],
    value: {
      sub,
      sid,
      acr,
      authTime: fromNumericDate(authTime),
      name: isText(name) ? name : undefined,
      email: isText(email) ? email : undefined,
    },
  };
}

const refused = (detail: string): Problem => new Problem("invalid_token", { detail });
