import { type Instant, secondMs } from "@remit/kernel";
import { base64, parseJson, type Sha256, urlOf } from "../encoding/index.ts";
import {
  type Component,
  componentsText,
  contentDigestField,
  type FoundSignature,
  findSignature,
  type HeaderPair,
  MalformedField,
  prepareSignature,
  sha256OfContentDigest,
} from "../http-signature/index.ts";
import type { Unproven } from "../jose/index.ts";
import { Problem } from "../problems.ts";
import { checkExpected, type ExpectedOffer, offerAlgOf, offerKey } from "./expected.ts";
import { checkOfferTime, type Offer, offerLifetimeMsMax, offerSkewMs, parseOffer } from "./offer.ts";

/** An HTTP answer that carries an offer or a catalogue, as it came over the wire. */
export type SignedResponse = {
  readonly request: { readonly method: string; readonly targetUri: string };
  readonly status: number;
  readonly headers: readonly HeaderPair[];
  readonly body: Uint8Array;
};

/** What the signature of a response stated; times are instants. */
export type ResponseSignature = {
  readonly keyid: string;
  readonly alg: "ed25519" | "ecdsa-p256-sha256";
  readonly created: Instant;
  readonly expires: Instant;
  readonly nonce: string;
};

/** A response to sign. `now` becomes `created`; `lifetimeS` is 300 unless told, 600 for a catalogue. */
export type ResponseToSign = {
  readonly method?: string;
  readonly targetUri: string;
  readonly status?: number;
  readonly contentType?: string;
  readonly body: Uint8Array;
  readonly now: Instant;
  readonly lifetimeS?: number;
};

export const offerLabel = "offer-sig";

/** RFC 9421 §2.4: what belongs to the request is taken from it by `req`, so an answer to another request fails. */
export const offerComponents: readonly Component[] = [
  { name: "@status" },
  { name: "@method", req: true },
  { name: "@target-uri", req: true },
  { name: "@authority", req: true },
  { name: "content-type" },
  { name: "content-digest" },
];

const offerBytesMax = 65_536;
const utf8 = new TextEncoder();
const jwsAlg = { ed25519: "EdDSA", "ecdsa-p256-sha256": "ES256" } as const;

/** What to sign so that a response becomes an offer, and the headers that go beside `Signature`. */
export function prepareResponse(input: {
  readonly request: SignedResponse["request"];
  readonly status?: number;
  readonly contentType?: string;
  readonly body: Uint8Array;
  readonly keyid: string;
  readonly alg: ResponseSignature["alg"];
  readonly createdS: number;
  readonly expiresS: number;
  readonly nonce: string;
  readonly sha256: Sha256;
}): { readonly base: string; readonly headers: Readonly<Record<string, string>> } {
  const digest = contentDigestField(base64.encode(input.sha256(input.body)));
  const contentType = input.contentType ?? "application/json";
  const { base, signatureInput } = prepareSignature({
    label: offerLabel,
    components: offerComponents,
    parameters: {
      created: input.createdS,
      expires: input.expiresS,
      nonce: input.nonce,
      keyid: input.keyid,
      alg: input.alg,
    },
    message: {
      request: input.request,
      response: {
        status: input.status ?? 200,
        fields: [
          ["content-type", contentType],
          ["content-digest", digest],
        ],
      },
    },
  });
  const headers = {
    "Content-Type": contentType,
    "Content-Digest": digest,
    "Signature-Input": signatureInput,
  };
  return { base, headers };
}

/** Reads a response that is one signed offer. */
export function examineOfferResponse(
  response: SignedResponse,
  expected: ExpectedOffer & { readonly sha256: Sha256 },
): Unproven<{ readonly offer: Offer; readonly signature: ResponseSignature }> {
  const { checks, value: signature } = examineSignedResponse(response, {
    ...expected,
    lifetimeMsMax: offerLifetimeMsMax.response,
  });
  const offer = parseOffer(parseJson(response.body, { bytesMax: offerBytesMax, refuse: "offer_malformed" }));
  if (urlOf(response.request.targetUri)?.origin !== offer.merchant_origin)
    throw new Problem("offer_target_uri_mismatch");
  checkOfferTime(offer, expected.now, offerLifetimeMsMax.jws);
  checkExpected(offer, expected);
  return { checks, value: { offer, signature } };
}

/** Checks all of a signed response but the signature itself: components, times, key, algorithm and body. */
export function examineSignedResponse(
  response: SignedResponse,
  expected: Pick<ExpectedOffer, "keys" | "now"> & { readonly sha256: Sha256; readonly lifetimeMsMax: number },
): Unproven<ResponseSignature> {
  const found = foundSignature(response);
  const signature = signatureOf(found);
  if (expected.now >= signature.expires) throw new Problem("offer_signature_expired");
  if (signature.created >= expected.now + offerSkewMs) throw new Problem("offer_not_yet_valid");
  if (
    signature.expires <= signature.created ||
    signature.expires - signature.created > expected.lifetimeMsMax
  )
    throw new Problem("offer_malformed", { detail: "the signature is valid for too long" });
  const key = offerKey(signature.keyid, expected.keys);
  const alg = jwsAlg[signature.alg];
  if (offerAlgOf(key) !== alg) throw new Problem("offer_alg_rejected");
  if (sha256OfContentDigest(response.headers) !== base64.encode(expected.sha256(response.body)))
    throw new Problem("offer_body_digest_mismatch");
  const check = {
    alg,
    key,
    data: utf8.encode(found.base),
    signature: base64.decode(found.signature) ?? new Uint8Array(),
    refuse: "offer_signature_invalid",
  } as const;
  return { checks: [check], value: signature };
}

function foundSignature({ request, status, headers }: SignedResponse): FoundSignature {
  try {
    const found = findSignature(offerLabel, { request, response: { status, fields: headers } });
    if (found !== undefined && componentsText(found.components) === componentsText(offerComponents))
      return found;
  } catch (error) {
    if (!(error instanceof MalformedField)) throw error;
    throw new Problem("offer_signature_invalid", { detail: error.message });
  }
  throw new Problem("offer_signature_invalid", { detail: `${offerLabel} does not cover what it must` });
}

function signatureOf({ parameters }: FoundSignature): ResponseSignature {
  const { alg, created, expires, keyid, nonce } = parameters;
  if (alg !== "ed25519" && alg !== "ecdsa-p256-sha256") throw new Problem("offer_alg_rejected");
  if (created === undefined || expires === undefined || keyid === undefined || nonce === undefined)
    throw new Problem("offer_signature_invalid", {
      detail: "created, expires, nonce and keyid are required",
    });
  if (created < 0 || expires < 0 || nonce.length < 16 || nonce.length > 128)
    throw new Problem("offer_signature_invalid", { detail: "a parameter is out of range" });
  return { alg, keyid, nonce, created: instant(created), expires: instant(expires) };
}

const instant = (seconds: number): Instant => (seconds * secondMs) as Instant;
