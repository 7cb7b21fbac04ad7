import { randomBytes, randomInt } from "node:crypto";
import { after, type Instant, newId, toMinor, toRfc3339 } from "@remit/kernel";
import {
  authCaptureRequirements,
  type Challenge,
  cardRequirement,
  evmMethod,
  evmRequest,
  exactRequirement,
  exactRequirementV1,
  type JsonObject,
  type Mac,
  makeChallenge,
  makeMerchantNonce,
  mandateMethod,
  mandateRequirement,
  merchantNonceMs,
  type Offer,
  type PaymentRequirement,
  stripeMethod,
  stripeRequest,
} from "@remit/protocol";
import { sha256, signOffer } from "@remit/protocol/node";
import type { PaidRoute, X402Way } from "../offers/index.ts";
import { bindingOf, contentDigestOf, placeOf, type Wanted } from "./wanted.ts";
import { bindingFor, cardTermsOf, transferTermsOf } from "./ways.ts";

/** What it costs to have the request answered, in each protocol's words and for this request alone. Nothing is stored. */
export type Terms = {
  /** x402 v2. */
  readonly requirements: readonly PaymentRequirement[];
  /** x402 v1: only what its clients know, since one entry that they do not makes them refuse all. */
  readonly requirementsV1: readonly JsonObject[];
  /** MPP. */
  readonly challenges: readonly Challenge[];
};

export type TermsDeps = {
  readonly issuer: string;
  readonly livemode: boolean;
  /** The secrets of challenges, nonces and bindings; the first of them makes new ones. */
  readonly macs: (now: Instant) => readonly [Mac, ...Mac[]];
};

type Asked = { readonly now: Instant; readonly header?: string };

/** All ways in which a request can be paid, in the order of its route. */
export function termsOf(deps: TermsDeps, wanted: Wanted, at: Asked): Terms {
  const [mac] = deps.macs(at.now);
  const binding = bindingFor(mac, wanted);
  const challenge = challenger(mac, wanted, at);
  const terms = wanted.route.ways.map((way): Terms => {
    if (way.rail === "mandate") return mandateTerms(deps, wanted, { now: at.now, challenge });
    if (way.rail === "x402") return transferTerms(wanted, way, { binding, challenge });
    const card = cardTermsOf(wanted.route, way);
    return {
      requirements: [cardRequirement(card, binding), ...authCaptureRequirements(card, binding)],
      requirementsV1: [],
      challenges: [challenge(stripeMethod, stripeRequest(card))],
    };
  });
  return {
    requirements: terms.flatMap(({ requirements }) => requirements),
    requirementsV1: terms.flatMap(({ requirementsV1 }) => requirementsV1),
    challenges: terms.flatMap(({ challenges }) => challenges),
  };
}

/** A challenge is answered once, so two who ask for the same at one instant must not get the same: they end apart. */
const apartMs = 10_000;

type Challenger = (method: { method: string; intent: string }, request: JsonObject) => Challenge;

function challenger(mac: Mac, wanted: Wanted, at: Asked): Challenger {
  const digest = contentDigestOf(wanted);
  return (method, request) =>
    makeChallenge({
      mac,
      realm: new URL(wanted.route.merchant.origin).host,
      ...method,
      request,
      expires: after(at.now, merchantNonceMs - randomInt(apartMs)),
      binding: bindingOf(wanted),
      ...(digest !== undefined && { digest }),
      ...(at.header !== undefined && { header: at.header }),
    });
}

function mandateTerms(
  deps: TermsDeps,
  wanted: Wanted,
  { now, challenge }: { readonly now: Instant; readonly challenge: Challenger },
): Terms {
  const offered = offerOf(wanted, deps.livemode, now);
  const offer = signOffer(wanted.route.merchant.keys.offer, offered);
  const [mac] = deps.macs(now);
  const merchantNonce = makeMerchantNonce({ mac, random: randomBytes(12), now, place: placeOf(wanted) });
  const requirement = mandateRequirement(sha256, { issuer: deps.issuer, offer, merchantNonce }, offered);
  return {
    requirements: [requirement],
    requirementsV1: [],
    challenges: [challenge(mandateMethod, { ...requirement })],
  };
}

function transferTerms(
  { route, url }: Wanted,
  way: X402Way,
  made: { readonly binding: string; readonly challenge: Challenger },
): Terms {
  const terms = transferTermsOf(way);
  const version1 = exactRequirementV1(terms, { url, description: route.name });
  return {
    requirements: [exactRequirement(terms, made.binding)],
    requirementsV1: version1 === undefined ? [] : [version1],
    challenges: [made.challenge(evmMethod, evmRequest({ ...terms, decimals: way.asset.decimals }))],
  };
}

function offerOf({ route, method, url, bodySha256 }: Wanted, livemode: boolean, now: Instant): Offer {
  const digest = bodySha256 === undefined ? undefined : Buffer.from(bodySha256).toString("base64url");
  return {
    "@context": "https://schema.org",
    "@type": "Offer",
    id: newId("offer"),
    sku: route.sku,
    name: route.name,
    ...(route.description !== undefined && { description: route.description }),
    ...toMinor(route.price),
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
