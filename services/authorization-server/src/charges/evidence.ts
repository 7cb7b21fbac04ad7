import { fromNumericDate, type Instant, invariant, type Money, secondMs } from "@remit/kernel";
import {
  base64url,
  keyIdOf,
  type Offer,
  Problem,
  type PublicJwk,
  parseOffer,
  payloadOf,
  priceOf,
  type SignedResponse,
  type VerifiedPresentation,
} from "@remit/protocol";
import type { CreateCharge } from "@remit/protocol/contracts";
import { offerDigest, verifyOffer, verifyOfferResponse, verifyPresentation } from "@remit/protocol/node";
import type { Presented } from "../presented/index.ts";
import type { Merchant } from "./merchants.ts";

/** Everything a charge rests on, verified: the merchant's offer, and the agent's presentation for it. */
export type Evidence = {
  readonly offer: Offer;
  readonly price: Money;
  readonly digest: string;
  readonly offerKey: PublicJwk;
  readonly offerText: string;
  readonly presented: VerifiedPresentation;
  /** The same as it was sent, to be kept. */
  readonly sent: Presented;
};

export type Issuer = {
  readonly issuer: string;
  /** Each for its own artefact: a key that signs something else proves neither. */
  readonly mandateKeys: readonly PublicJwk[];
  readonly tokenKeys: readonly PublicJwk[];
  readonly livemode: boolean;
};

/**
 * The pure part of the checks of a charge, in their order: the offer is this merchant's; key binding and token are for
 * its origin; scope, holder and token digest agree. What the mandate admits and what still stands, the database says.
 */
export function verifyEvidence(
  request: CreateCharge,
  merchant: Merchant,
  { issuer, now }: { issuer: Issuer; now: Instant },
): Evidence {
  const { offer, key, text } = readOffer(request.offer, merchant, { now, livemode: issuer.livemode });
  const digest = offerDigest(offer);
  const presented = verifyPresentation({
    presentation: request.presentation,
    accessToken: request.access_token,
    offerDigest: digest,
    merchantOrigin: merchant.origin,
    merchantNonce: request.merchant_nonce,
    issuer: issuer.issuer,
    issuerKeys: issuer.mandateKeys,
    tokenKeys: issuer.tokenKeys,
    livemode: issuer.livemode,
    now,
  });
  const sent = {
    presentation: request.presentation,
    accessToken: request.access_token,
    merchantNonce: request.merchant_nonce,
    tokenKey: tokenKeyOf(request.access_token, issuer),
  };
  return { offer, price: priceOf(offer), digest, offerKey: key, offerText: text, presented, sent };
}

function tokenKeyOf(token: string, { tokenKeys }: Issuer): PublicJwk {
  const kid = keyIdOf(token);
  const key = tokenKeys.find((one) => one.kid === kid);
  invariant(key !== undefined, "a token that was verified names its key");
  return key;
}

type ReadOffer = { readonly offer: Offer; readonly key: PublicJwk; readonly text: string };

function readOffer(
  offer: CreateCharge["offer"],
  merchant: Merchant,
  { now, livemode }: { now: Instant; livemode: boolean },
): ReadOffer {
  const expected = { keys: merchant.keys, now, merchant: merchant.id, origin: merchant.origin, livemode };
  if (typeof offer === "string")
    return { offer: verifyOffer(offer, expected), key: keyOf(merchant, keyIdOf(offer)), text: offer };
  const read = verifyOfferResponse(responseOf(offer), expected);
  return { offer: read.offer, key: keyOf(merchant, read.signature.keyid), text: JSON.stringify(offer) };
}

function keyOf(merchant: Merchant, kid: string | undefined): PublicJwk {
  const key = merchant.keys.find((one) => one.kid === kid);
  if (key === undefined) throw new Problem("offer_keyid_unknown");
  return key;
}

/** The signed response as it was served: the digest is computed from these bytes. */
function responseOf(offer: Exclude<CreateCharge["offer"], string>): SignedResponse {
  const body = base64url.decode(offer.body);
  if (body === undefined) throw new Problem("offer_malformed", { detail: "body is not base64url" });
  return {
    request: { method: offer.request.method, targetUri: offer.request.target_uri },
    status: offer.status,
    headers: Object.entries(offer.headers),
    body,
  };
}

/** The offer in evidence that was verified when the charge was made. */
export function offerIn(evidence: string): Offer {
  const json: unknown = evidence.startsWith("{") ? JSON.parse(evidence) : undefined;
  const body = json === undefined ? undefined : base64url.decode(String(Object(json).body));
  return parseOffer(body === undefined ? payloadOf(evidence) : JSON.parse(new TextDecoder().decode(body)));
}

const replayableForS = 366 * 24 * 3600;

/**
 * When the presentation says it was made. A presentation that has been used answers with its charge for as long as its
 * mandate lives, so a retry that comes too late to be fresh is verified as of then.
 */
export function presentedAt(presentation: string, now: Instant): Instant | undefined {
  const iat = payloadOf(presentation.slice(presentation.lastIndexOf("~") + 1))?.["iat"];
  if (typeof iat !== "number" || !Number.isSafeInteger(iat) || iat < 0) return undefined;
  const ageS = now / secondMs - iat;
  return ageS > 0 && ageS < replayableForS ? fromNumericDate(iat) : undefined;
}
