import { randomBytes } from "node:crypto";
import { after, type Instant, newId, toMinor, toRfc3339 } from "@remit/kernel";
import {
  type Binding,
  base64,
  type Challenge,
  type JsonObject,
  type Mac,
  makeChallenge,
  makeMerchantNonce,
  mandateMethod,
  mandateRequirement,
  merchantNonceMs,
  type NoncePlace,
  type Offer,
  type PaymentRequirement,
} from "@remit/protocol";
import { sha256, signOffer } from "@remit/protocol/node";
import { holdOf, type PaidRoute } from "../offers/index.ts";

/** One request for something that is sold: what the offer is bound to. */
export type Wanted = {
  readonly route: PaidRoute;
  readonly method: string;
  /** The merchant's origin, path and query. */
  readonly url: string;
  /** SHA-256 of the request's body; absent when it has none. */
  readonly bodySha256?: Uint8Array;
};

/** What it costs to have the request answered, signed for this request alone. Nothing of it is stored. */
export type Terms = { readonly requirement: PaymentRequirement; readonly challenge: Challenge };

export type TermsDeps = { readonly issuer: string; readonly livemode: boolean; readonly mac: Mac };

export function termsOf(
  deps: TermsDeps,
  wanted: Wanted,
  at: { readonly now: Instant; readonly header?: string },
): Terms {
  const { merchant } = wanted.route;
  const offer = signOffer(merchant.keys.offer, offerOf(wanted, deps.livemode, at.now));
  const merchantNonce = makeMerchantNonce({
    mac: deps.mac,
    random: randomBytes(12),
    now: at.now,
    place: placeOf(wanted),
  });
  const requirement = mandateRequirement(sha256, { issuer: deps.issuer, offer, merchantNonce });
  const digest = contentDigestOf(wanted);
  const challenge = makeChallenge({
    mac: deps.mac,
    realm: new URL(merchant.origin).host,
    ...mandateMethod,
    request: { ...requirement } satisfies JsonObject,
    expires: after(at.now, merchantNonceMs),
    binding: bindingOf(wanted),
    ...(digest !== undefined && { digest }),
    ...(at.header !== undefined && { header: at.header }),
  });
  return { requirement, challenge };
}

export const placeOf = ({ route, method }: Wanted): NoncePlace => ({
  route: route.id,
  method,
  origin: route.merchant.origin,
});

/** What the challenge is good for, echoed in `opaque`: without it, one of a route with the same price would do. */
export const bindingOf = ({ route, method, url }: Wanted): Binding => ({ route: route.id, method, url });

/** RFC 9530 §2 of the request's body. */
export const contentDigestOf = ({ bodySha256 }: Wanted): string | undefined =>
  bodySha256 === undefined ? undefined : `sha-256=:${base64.encode(bodySha256)}:`;

function offerOf({ route, method, url, bodySha256 }: Wanted, livemode: boolean, now: Instant): Offer {
  const digest = bodySha256 === undefined ? undefined : Buffer.from(bodySha256).toString("base64url");
  return {
    "@context": "https://schema.org",
    "@type": "Offer",
    id: newId("offer"),
    sku: route.sku,
    name: route.name,
    ...(route.description !== undefined && { description: route.description }),
    ...toMinor(holdOf(route.price)),
    merchant: route.merchant.id,
    merchant_origin: route.merchant.origin,
    issued_at: toRfc3339(now),
    expires_at: toRfc3339(after(now, merchantNonceMs)),
    livemode,
    resource: { method, url, ...(digest !== undefined && { body_digest: digest }) },
    serve_by_s: route.serveByS,
  };
}

/** The offer of a route as a catalogue shows it: a price, for no request in particular. */
export function listedOffer(
  route: PaidRoute,
  at: { readonly livemode: boolean; readonly now: Instant },
): Offer {
  const url = route.merchant.origin;
  const { resource: _, ...listed } = offerOf({ route, method: route.method, url }, at.livemode, at.now);
  const literal = route.pattern.every((segment) => segment !== "*" && !segment.startsWith(":"));
  const resource = { method: route.method, url: `${url}/${route.pattern.join("/")}` };
  return literal ? { ...listed, id: route.id, resource } : { ...listed, id: route.id };
}
