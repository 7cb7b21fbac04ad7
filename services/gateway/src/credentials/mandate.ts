import type { Instant } from "@remit/kernel";
import type { KeySource } from "@remit/platform/outbound";
import {
  base64url,
  canonicalise,
  checkMerchantNonce,
  keyIdOf,
  type Offer,
  Problem,
  type PublicJwk,
  publicJwkOf,
} from "@remit/protocol";
import { offerDigest, sha256b64url, verifyOffer, verifyPresentation } from "@remit/protocol/node";
import { placeOf, pricedAt, type Wanted } from "../paywall/index.ts";
import { answersChallenge } from "./challenge.ts";
import type { MandateCredential } from "./credentials.ts";
import type { VerifiedCredential, VerifierDeps } from "./verified.ts";

/** A mandate: our own offer, nonce and challenge, then mandate, key binding and token by the one verification. */
export async function verifyMandatePayment(
  deps: VerifierDeps,
  wanted: Wanted,
  { credential, now }: { readonly credential: MandateCredential; readonly now: Instant },
): Promise<VerifiedCredential> {
  const { route } = wanted;
  if (!route.ways.some(({ rail }) => rail === "mandate"))
    throw new Problem("no_acceptable_payment", { detail: "This resource is not sold under a mandate." });
  if (credential.issuer !== undefined && credential.issuer !== deps.issuer)
    throw new Problem("no_acceptable_payment", { detail: "This merchant takes mandates of another issuer." });
  answersChallenge(deps, wanted, { challenge: credential.challenge, now });
  const { merchant } = route;
  const offer = verifyOwnOffer(deps, wanted, { jws: credential.offer, now });
  checkMerchantNonce({ nonce: credential.merchantNonce, macs: deps.macs(now), now, place: placeOf(wanted) });
  const verified = verifyPresentation({
    presentation: credential.presentation,
    accessToken: credential.accessToken,
    offerDigest: offerDigest(offer),
    merchantOrigin: merchant.origin,
    merchantNonce: credential.merchantNonce,
    issuer: deps.issuer,
    issuerKeys: await keysFor(deps.issuerKeys, credential),
    now,
    livemode: deps.livemode,
  });
  const { agentThumbprint, kbNonce, mandate } = verified;
  return {
    rail: "mandate",
    // Made of parsed values: a signature can be written in two ways, and both are the same payment.
    credential: sha256b64url(canonicalise([mandate.jti, agentThumbprint, merchant.id, kbNonce])),
    agent: agentThumbprint,
    payer: mandate.sub,
    order: {
      offer: credential.offer,
      presentation: credential.presentation,
      access_token: credential.accessToken,
      merchant_nonce: credential.merchantNonce,
      capture: "manual",
      serve_by_s: route.serveByS,
    },
  };
}

/** An offer that we signed, for this request, at the price that holds now (O01, O03, O12). */
function verifyOwnOffer(
  deps: VerifierDeps,
  wanted: Wanted,
  { jws, now }: { readonly jws: string; readonly now: Instant },
): Offer {
  const { route, method, url, bodySha256, tool } = wanted;
  const bodyDigest = bodySha256 === undefined ? undefined : base64url.encode(bodySha256);
  const offer = verifyOffer(jws, {
    keys: [publicJwkOf(route.merchant.keys.offer)],
    now,
    merchant: route.merchant.id,
    origin: route.merchant.origin,
    livemode: deps.livemode,
    resource: { method, url, ...(bodyDigest !== undefined && { bodyDigest }) },
  });
  // An offer without a digest was made for a request without a body.
  if (offer.resource?.body_digest !== bodyDigest) throw new Problem("offer_resource_mismatch");
  // G10: what it was offered as is not what it says of itself now.
  if (offer.tool?.name !== tool?.name || offer.tool?.digest !== tool?.digest)
    throw new Problem("offer_changed", { status: 402 });
  if (offer.sku !== route.sku || pricedAs(offer) !== pricedAs(pricedAt(route)))
    throw new Problem("offer_changed", { status: 402 });
  return offer;
}

/** All that an offer says of money, and of when it moves (O12). */
const pricedAs = (offer: ReturnType<typeof pricedAt>): string =>
  canonicalise({
    amount: [offer.amount_minor, offer.currency, offer.max_amount_minor ?? null],
    unit: offer.unit_price === undefined ? null : { ...offer.unit_price },
    how: [offer.commits ?? false, offer.deliver ?? "buffer"],
  });

/** The issuer's keys; looked at again when a token names one that is not among them. */
async function keysFor(source: KeySource, credential: MandateCredential): Promise<readonly PublicJwk[]> {
  let keys = await source();
  for (const jws of [credential.presentation, credential.accessToken]) {
    const kid = keyIdOf(jws.split("~", 1)[0] ?? "");
    if (kid !== undefined && !keys.some((key) => key.kid === kid)) keys = await source(kid);
  }
  return keys;
}
