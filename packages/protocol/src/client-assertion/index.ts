import { type Instant, toNumericDate } from "@remit/kernel";
import {
  checkOf,
  isNumericDate,
  isText,
  keyFor,
  type ParsedJws,
  type PublicJwk,
  parseJws,
  payloadOf,
  type Unproven,
  type Unsigned,
  whyNotNow,
} from "../jose/index.ts";
import { Problem } from "../problems.ts";

/** `client_assertion_type` of RFC 7523 §2.2. */
export const clientAssertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/** No assertion lives longer than this. */
export const clientAssertionLifetimeSMax = 300;

export type ClientAssertionInput = {
  /** As sent, or as `readClientAssertion` read it. */
  readonly assertion: string | ParsedJws;
  /** Whom the request, or `claimedClientOf`, says it is from. */
  readonly clientId: string;
  /** The issuer, and at the token endpoint also its URL. */
  readonly audiences: readonly string[];
  /** The keys registered for this client. */
  readonly keys: readonly PublicJwk[];
  readonly now: Instant;
};

/** An assertion that holds. That `jti` is new for this client until `exp` (seconds) is for the caller to claim. */
export type ClientAssertion = { readonly clientId: string; readonly jti: string; readonly exp: number };

const types = ["JWT", "client-authentication+jwt", undefined];
const jtiLengthMax = 256;

/**
 * RFC 7523 §3, all but the signature (still a check) and the first use of `jti`: `iss` = `sub` = the client, `aud` one
 * string, `exp` at most 300 s after `iat`. Throws `invalid_client`.
 */
export function examineClientAssertion(input: ClientAssertionInput): Unproven<ClientAssertion> {
  const { assertion } = input;
  const jws = typeof assertion === "string" ? readClientAssertion(assertion) : assertion;
  const { iss, sub, aud, jti, iat, exp } = jws.payload;
  if (iss !== input.clientId || sub !== input.clientId) throw refused("iss and sub must be the client's id.");
  // An array would let one assertion serve two servers (RFC 7523bis).
  if (!isText(aud) || !input.audiences.includes(aud)) throw refused("aud must be this issuer, as a string.");
  if (!isText(jti) || jti.length > jtiLengthMax) throw refused("jti must be a short text.");
  const because = whyNotNow(jws.payload, input.now);
  if (because !== undefined) throw refused(because);
  if (!isNumericDate(iat) || !isNumericDate(exp) || exp - iat > clientAssertionLifetimeSMax)
    throw refused("exp must be at most 300 seconds after iat.");
  const key = keyFor(input.keys, jws.header);
  if (key === undefined) throw refused("The assertion's key is not one of the client's.");
  return { checks: [checkOf(jws, key, "invalid_client")], value: { clientId: input.clientId, jti, exp } };
}

/** What an assertion claims. Nothing about it is proven. Throws `invalid_client`. */
export const readClientAssertion = (assertion: string): ParsedJws =>
  parseJws(assertion, { typ: types, algs: ["ES256", "EdDSA"], refuse: "invalid_client" });

/** Whom an assertion claims to be from, to find the client's keys with. Nothing about it is proven. */
export function claimedClientOf(assertion: string): string | undefined {
  const iss = payloadOf(assertion)?.["iss"];
  return isText(iss) ? iss : undefined;
}

export type ClientAssertionRequest = {
  readonly clientId: string;
  /** The issuer of the authorization server. */
  readonly audience: string;
  readonly now: Instant;
  /** Seconds; 60 unless told, at most 300. */
  readonly lifetimeS?: number;
};

/** What a client signs to authenticate (RFC 7523 §2.2); `jti` must never be used again. */
export function clientAssertion(request: ClientAssertionRequest, jti: string): Unsigned<string> {
  const iat = toNumericDate(request.now);
  const exp = iat + Math.min(request.lifetimeS ?? 60, clientAssertionLifetimeSMax);
  const { clientId, audience } = request;
  return {
    header: { typ: "JWT" },
    payload: { iss: clientId, sub: clientId, aud: audience, jti, iat, exp },
    finish: (jws) => jws,
  };
}

const refused = (detail: string): Problem => new Problem("invalid_client", { detail });
