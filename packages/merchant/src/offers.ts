import { type Id, type Instant, systemClock } from "@remit/kernel";
import {
  base64url,
  type HeaderPair,
  type Offer,
  type PrivateJwk,
  type PublicJwk,
  parseJwks,
  parseOffer,
} from "@remit/protocol";
import { sha256, signOffer as signOfferJws, signResponse, verifyOfferResponse } from "@remit/protocol/web";

export type SignOfferOptions = {
  /** The merchant's signing key (ES256 or EdDSA). */
  readonly privateJwk: PrivateJwk;
  /** The key's id in the merchant's JWKS; the JWK's own `kid` unless told. */
  readonly keyid?: string;
  /** The absolute URL at which the offer is served. */
  readonly targetUri: string;
  readonly method?: string;
  /** Seconds; 300 unless told, at most 300 for an offer and 600 for a catalogue. */
  readonly expiresIn?: number;
  readonly now?: Instant;
};

/** Headers in any of the usual forms. */
export type HeadersLike = Headers | Readonly<Record<string, string>> | readonly HeaderPair[];

export type VerifyOfferOptions = {
  /** The URL from which the offer was fetched, and the method it was fetched with. */
  readonly targetUri: string;
  readonly method?: string;
  readonly status?: number;
  readonly merchant?: Id<"merchant">;
  readonly livemode?: boolean;
  readonly now?: Instant;
};

/** What the signature of an offer says; `created` and `expires` are instants (ms). */
export type VerifiedOffer = {
  readonly offer: Offer;
  readonly keyid: string;
  readonly alg: string;
  readonly created: Instant;
  readonly expires: Instant;
  readonly bodyDigest: string;
  readonly method: string;
  readonly targetUri: string;
  readonly authority: string;
};

const utf8 = new TextEncoder();

/**
 * Signs a price as an HTTP response (RFC 9421, label `offer-sig`). Send exactly this body with exactly these headers.
 * Throws Problem `offer_malformed` for what no buyer would accept.
 */
export async function signOffer(
  offer: Offer,
  options: SignOfferOptions,
): Promise<{ readonly body: string; readonly headers: Readonly<Record<string, string>> }> {
  const body = JSON.stringify(parseOffer(offer));
  const { privateJwk, keyid = privateJwk.kid, targetUri, method, expiresIn, now } = options;
  const key = keyid === undefined ? privateJwk : { ...privateJwk, kid: keyid };
  const headers = await signResponse(key, {
    targetUri,
    body: utf8.encode(body),
    now: now ?? systemClock.now(),
    ...(method !== undefined && { method }),
    ...(expiresIn !== undefined && { lifetimeS: expiresIn }),
  });
  return { body, headers };
}

/** Signs a price as a compact JWS, for a 402 or an MCP answer. */
export const signOfferToken = (offer: Offer, privateJwk: PrivateJwk): Promise<string> =>
  signOfferJws(privateJwk, offer);

/**
 * Verifies a signed offer that was fetched. Throws Problem with `offer_signature_expired`, `offer_keyid_unknown`,
 * `offer_body_digest_mismatch`, `offer_target_uri_mismatch`, `offer_alg_rejected` or another `offer_…` code.
 */
export async function verifyOffer(
  response: { readonly body: string | Uint8Array; readonly headers: HeadersLike },
  jwks: { readonly keys: readonly PublicJwk[] },
  options: VerifyOfferOptions,
): Promise<VerifiedOffer> {
  const { targetUri, method = "GET", status = 200, merchant, livemode } = options;
  const body = typeof response.body === "string" ? utf8.encode(response.body) : response.body;
  const headers = pairsOf(response.headers);
  const { offer, signature } = await verifyOfferResponse(
    { request: { method, targetUri }, status, headers, body },
    {
      keys: parseJwks({ keys: jwks.keys.map((key) => ({ ...key })) }) ?? [],
      now: options.now ?? systemClock.now(),
      ...(merchant !== undefined && { merchant }),
      ...(livemode !== undefined && { livemode }),
    },
  );
  return {
    offer,
    keyid: signature.keyid,
    alg: signature.alg,
    created: signature.created,
    expires: signature.expires,
    bodyDigest: base64url.encode(sha256(body)),
    method,
    targetUri,
    authority: new URL(targetUri).host,
  };
}

function pairsOf(headers: HeadersLike): readonly HeaderPair[] {
  if (headers instanceof Headers) return [...headers];
  return isPairs(headers) ? headers : Object.entries(headers);
}

// Array.isArray does not narrow readonly arrays.
const isPairs = (headers: HeadersLike): headers is readonly HeaderPair[] => Array.isArray(headers);
