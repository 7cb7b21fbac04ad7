import type { Id, Instant } from "@remit/kernel";
import type { KeySource } from "@remit/platform/outbound";
import {
  base64url,
  canonicalise,
  checkChallenge,
  checkMerchantNonce,
  keyIdOf,
  type Mac,
  type Offer,
  Problem,
  type PublicJwk,
  publicJwkOf,
} from "@remit/protocol";
import { offerDigest, sha256b64url, verifyOffer, verifyPresentation } from "@remit/protocol/node";
import { holdOf } from "../offers/index.ts";
import { bindingOf, contentDigestOf, placeOf, type Wanted } from "../paywall/index.ts";
import type { Credential } from "./credentials.ts";

/** A credential that is genuine and meant for exactly this request. Whether it may spend is not known yet. */
export type VerifiedCredential = {
  /** The same for every spelling of the same payment. */
  readonly credential: string;
  /** Thumbprint of the agent's key. */
  readonly agent: string;
  readonly agentId: string;
  /** The mandate's subject: pairwise or random, never a name. */
  readonly payer: string;
  readonly mandate: Id<"mandate">;
  readonly offer: Offer;
};

export type VerifierDeps = {
  readonly issuer: string;
  readonly issuerKeys: KeySource;
  readonly mac: Mac;
  readonly livemode: boolean;
};

/**
 * Checks a credential without asking anybody: our own offer, nonce and challenge, then mandate, key binding and token by
 * the one verification. What fails here never reaches the charge API.
 */
export async function verifyCredential(
  deps: VerifierDeps,
  wanted: Wanted,
  { credential, now }: { readonly credential: Credential; readonly now: Instant },
): Promise<VerifiedCredential> {
  if (credential.issuer !== undefined && credential.issuer !== deps.issuer)
    throw new Problem("no_acceptable_payment", { detail: "This merchant takes mandates of another issuer." });
  if (credential.challenge !== undefined)
    answersChallenge(deps, wanted, { challenge: credential.challenge, now });
  const { merchant } = wanted.route;
  const offer = verifyOwnOffer(deps, wanted, { jws: credential.offer, now });
  checkMerchantNonce({ nonce: credential.merchantNonce, macs: [deps.mac], now, place: placeOf(wanted) });
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
  const { agentThumbprint, kbNonce, mandate, accessToken } = verified;
  return {
    // Made of parsed values: a signature can be written in two ways, and both are the same payment.
    credential: sha256b64url(canonicalise([mandate.jti, agentThumbprint, merchant.id, kbNonce])),
    agent: agentThumbprint,
    agentId: accessToken.client_id,
    payer: mandate.sub,
    mandate: mandate.jti,
    offer,
  };
}

function answersChallenge(
  { mac }: VerifierDeps,
  wanted: Wanted,
  { challenge, now }: { readonly challenge: NonNullable<Credential["challenge"]>; readonly now: Instant },
): void {
  const digest = contentDigestOf(wanted);
  checkChallenge({
    challenge,
    macs: [mac],
    realm: new URL(wanted.route.merchant.origin).host,
    now,
    binding: bindingOf(wanted),
    ...(digest !== undefined && { digest }),
  });
}

/** An offer that we signed, for this request, at the price that holds now (O01, O03, O12). */
function verifyOwnOffer(
  deps: VerifierDeps,
  wanted: Wanted,
  { jws, now }: { readonly jws: string; readonly now: Instant },
): Offer {
  const { route, method, url, bodySha256 } = wanted;
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
  const { asset, units } = holdOf(route.price);
  if (offer.sku !== route.sku || offer.currency !== asset.code || BigInt(offer.amount_minor) !== units)
    throw new Problem("offer_changed", { status: 402 });
  return offer;
}

/** The issuer's keys; looked at again when a token names one that is not among them. */
async function keysFor(source: KeySource, credential: Credential): Promise<readonly PublicJwk[]> {
  let keys = await source();
  for (const jws of [credential.presentation, credential.accessToken]) {
    const kid = keyIdOf(jws.split("~", 1)[0] ?? "");
    if (kid !== undefined && !keys.some((key) => key.kid === kid)) keys = await source(kid);
  }
  return keys;
}
