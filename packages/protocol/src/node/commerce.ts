import { createHmac, createSecretKey, randomBytes } from "node:crypto";
import { type Instant, invariant, toNumericDate } from "@remit/kernel";
import { type ClosedPayment, type ClosedPaymentInput, examineClosedPayment } from "../ap2/index.ts";
import { type Catalogue, examineCatalogue } from "../catalogue/index.ts";
import { base64, base64url, type Mac, utf8 } from "../encoding/index.ts";
import { signatureField } from "../http-signature/index.ts";
import { examineInstruction, type Instruction } from "../instruction/index.ts";
import { type PrivateJwk, type PublicJwk, signingAlgOf } from "../jose/index.ts";
import {
  type ExpectedOffer,
  examineOffer,
  examineOfferResponse,
  type Offer,
  offerDigestOf,
  offerJws,
  offerLabel,
  prepareResponse,
  type ResponseSignature,
  type ResponseToSign,
  type SignedResponse,
} from "../offer/index.ts";
import {
  type EvidenceKey,
  examineMerchantReceipt,
  examineReceipt,
  type MerchantReceipt,
  type Receipt,
} from "../receipt/index.ts";
import { settleAgain } from "./known-signatures.ts";
import { settle, sha256, sha256b64url, sign, signatureOf } from "./signatures.ts";

/** HMAC-SHA-256 under a key of at least 32 bytes. */
export const hmacSha256 = (key: Uint8Array): Mac => {
  // A key object is recognised at once; bytes cost two exceptions inside node for each use.
  const secret = createSecretKey(key);
  return (data) => createHmac("sha256", secret).update(data).digest();
};

export const offerDigest = (offer: Offer): string => offerDigestOf(sha256, offer);

/** The offer as a compact JWS (`typ: remit-offer+jwt`). */
export const signOffer = (key: PrivateJwk, offer: Offer): string => sign(offerJws(offer), key);

/** The offer of a compact JWS, verified. Throws a Problem of the `offer_…` codes. */
export const verifyOffer = (jws: string, expected: ExpectedOffer): Offer =>
  settleAgain(examineOffer(jws, expected));

/** Signs a response (RFC 9421, label `offer-sig`); answers the headers to send with exactly this body. */
export function signResponse(key: PrivateJwk, response: ResponseToSign): Readonly<Record<string, string>> {
  invariant(key.kid !== undefined, "a key that signs responses has a kid");
  const createdS = toNumericDate(response.now);
  const { base, headers } = prepareResponse({
    request: { method: response.method ?? "GET", targetUri: response.targetUri },
    ...(response.status !== undefined && { status: response.status }),
    ...(response.contentType !== undefined && { contentType: response.contentType }),
    body: response.body,
    keyid: key.kid,
    alg: signingAlgOf(key) === "EdDSA" ? "ed25519" : "ecdsa-p256-sha256",
    createdS,
    expiresS: createdS + (response.lifetimeS ?? 300),
    nonce: base64url.encode(randomBytes(16)),
    sha256,
  });
  const signature = base64.encode(signatureOf(key, utf8(base)));
  return { ...headers, Signature: signatureField(offerLabel, signature) };
}

/** The offer of a signed response, verified with all that its signature covers. */
export const verifyOfferResponse = (
  response: SignedResponse,
  expected: ExpectedOffer,
): { readonly offer: Offer; readonly signature: ResponseSignature } =>
  settle(examineOfferResponse(response, { ...expected, sha256 }));

export const verifyCatalogue = (response: SignedResponse, expected: ExpectedOffer): Catalogue =>
  settle(examineCatalogue(response, { ...expected, sha256 }));

/** A receipt verified offline against the issuer's evidence keys. Throws `receipt_invalid`. */
export const verifyReceipt = (
  jws: string,
  expected: { readonly issuer: string; readonly keys: readonly EvidenceKey[]; readonly now?: Instant },
): Receipt => settle(examineReceipt(jws, { ...expected, sha256 }));

/** A merchant's own receipt, verified with the keys that its origin publishes. Throws `receipt_invalid`. */
export const verifyMerchantReceipt = (
  jws: string,
  expected: { readonly origin: string; readonly keys: readonly PublicJwk[] },
): MerchantReceipt => settle(examineMerchantReceipt(jws, expected));

/** An instruction of the authorization server, verified. Throws `instruction_invalid`. */
export const verifyInstruction = (
  jws: string,
  expected: Parameters<typeof examineInstruction>[1],
): Instruction => settle(examineInstruction(jws, expected));

/** A closed payment mandate of AP2 with the checkout that it pays, verified. Throws `export_mandate_…`. */
export const verifyClosedPayment = (input: ClosedPaymentInput): ClosedPayment =>
  settle(examineClosedPayment(input, sha256b64url));
