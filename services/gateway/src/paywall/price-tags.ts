import { after, type Instant, type Money, newId, secondMs, toMinor, toRfc3339 } from "@remit/kernel";
import {
  authCaptureRequirements,
  canonicalise,
  cardRequirement,
  evmMethod,
  evmRequest,
  exactRequirement,
  exactRequirementV1,
  type JsonObject,
  type Mac,
  mandateMethod,
  mandateRequirement,
  merchantNonceMs,
  merchantNonces,
  type Offer,
  opaqueOf,
  type PaymentRequirement,
  paymentIdentifierExtension,
  paymentIdentifierOffer,
  stripeMethod,
  stripeRequest,
} from "@remit/protocol";
import { sha256, signOffer } from "@remit/protocol/node";
import { cardMinimum } from "@remit/rails/card";
import { leastOf } from "../metering/index.ts";
import type { PaidRoute, X402Way } from "../offers/index.ts";
import { bazaarOf } from "./bazaar.ts";
import { type Blank, blankOf, hole } from "./blanks.ts";
import { bindingOf, contentDigestOf, placeOf, type Wanted } from "./wanted.ts";
import {
  bindingFor,
  cardTermsOf,
  type Settlers,
  transferIn,
  transferRequirementOf,
  transferTermsOf,
} from "./ways.ts";

/**
 * What is the same for everybody who asks for one thing within a second. An offer is a price, not a reservation: it may be
 * signed once and shown to many, as long as the nonces and challenges by which they answer it are their own.
 */
export type PriceTag = {
  /** x402 v2: the JSON of the list, with a hole for the merchant's nonce. */
  readonly requirements: Blank;
  /** x402 v1: only what its clients know, since one entry that they do not makes them refuse all. */
  readonly requirementsV1: readonly JsonObject[];
  /** x402 v2: the JSON of the extensions. */
  readonly extensions: string;
  readonly challenges: readonly DraftChallenge[];
  /** MPP: the text of `opaque`, with a hole for what sets two challenges apart. */
  readonly opaque: Blank;
  readonly realm: string;
  readonly expires: string;
  readonly digest: string | undefined;
  /** The secret under which challenges are named. */
  readonly mac: Mac;
  nonceOf(random: Uint8Array): string;
};

/** A challenge of which the text of `request` has a hole for the merchant's nonce, where it holds one. */
export type DraftChallenge = { readonly method: string; readonly intent: string; readonly request: Blank };

export type TagDeps = {
  readonly issuer: string;
  readonly livemode: boolean;
  /** The secrets of challenges, nonces and bindings; the first of them makes new ones. */
  readonly macs: (now: Instant) => readonly [Mac, ...Mac[]];
} & Settlers;

export type PriceTags = { of(wanted: Wanted, now: Instant): PriceTag };

const lastsMs = secondMs;
// Of all routes together; a tag is some kilobytes. Whoever asks for ever other addresses finds each of them made anew.
const keptMax = 500;

/** Keeps the tags of a second. A route that has changed is another object, so no old price is shown. */
export function createPriceTags(deps: TagDeps): PriceTags {
  const kept = new Map<PaidRoute, Map<string, PriceTag>>();
  let count = 0;
  let from = 0;
  return {
    of(wanted, now) {
      if (now < from || now >= from + lastsMs || count >= keptMax) {
        kept.clear();
        count = 0;
        from = now;
      }
      const tags = kept.get(wanted.route) ?? new Map<string, PriceTag>();
      kept.set(wanted.route, tags);
      const digest = contentDigestOf(wanted);
      const key = `${wanted.method} ${wanted.url} ${digest ?? ""} ${wanted.tool?.digest ?? ""}`;
      const known = tags.get(key);
      if (known !== undefined) return known;
      const fresh = makeTag(deps, wanted, { now, digest });
      tags.set(key, fresh);
      count += 1;
      return fresh;
    },
  };
}

type Ways = Pick<PriceTag, "requirementsV1" | "challenges"> & {
  readonly requirements: readonly PaymentRequirement[];
};

function makeTag(
  deps: TagDeps,
  wanted: Wanted,
  { now, digest }: { readonly now: Instant; readonly digest: string | undefined },
): PriceTag {
  const { route } = wanted;
  const [mac] = deps.macs(now);
  const binding = bindingFor(mac, wanted);
  const ways = route.ways.map((way): Ways => {
    if (way.rail === "mandate") return mandateWay(deps, wanted, now);
    if (way.rail === "x402") return transferWay(deps, wanted, { way, binding });
    const card = cardTermsOf(route, way);
    return {
      requirements: [cardRequirement(card, binding), ...authCaptureRequirements(card, binding)],
      requirementsV1: [],
      challenges: [draft(stripeMethod, stripeRequest(card))],
    };
  });
  return {
    requirements: blankOf(JSON.stringify(ways.flatMap(({ requirements }) => requirements))),
    requirementsV1: ways.flatMap(({ requirementsV1 }) => requirementsV1),
    challenges: ways.flatMap(({ challenges }) => challenges),
    extensions: JSON.stringify({
      [paymentIdentifierExtension]: paymentIdentifierOffer(mustNameItself(wanted)),
      // What is hidden is sold to who knows of it, and facilitators list what they see.
      ...(!route.hidden && { bazaar: bazaarOf(route) }),
    }),
    opaque: blankOf(opaqueOf(bindingOf(wanted), hole)),
    realm: new URL(route.merchant.origin).host,
    expires: toRfc3339(after(now, merchantNonceMs)),
    digest,
    mac,
    nonceOf: merchantNonces({ mac, now, place: placeOf(wanted) }),
  };
}

// What a chain shows everybody fetches nothing: whoever pays first must have something else to show (design, "Lost answers").
const mustNameItself = ({ route }: Wanted): boolean =>
  route.settle === "before" && route.ways.some(({ rail }) => rail === "x402");

const draft = (method: { method: string; intent: string }, request: JsonObject): DraftChallenge => ({
  ...method,
  request: blankOf(canonicalise(request)),
});

function mandateWay({ issuer, livemode }: TagDeps, wanted: Wanted, now: Instant): Ways {
  const offered = offerOf(wanted, livemode, now);
  const offer = signOffer(wanted.route.merchant.keys.offer, offered);
  const requirement = mandateRequirement(sha256, { issuer, offer, merchantNonce: hole }, offered);
  return {
    requirements: [requirement],
    requirementsV1: [],
    challenges: [draft(mandateMethod, { ...requirement })],
  };
}

function transferWay(
  deps: TagDeps,
  { route, url }: Wanted,
  { way, binding }: { readonly way: X402Way; readonly binding: string },
): Ways {
  if (way.scheme === "upto") {
    // Neither version 1 nor MPP knows a price by use.
    const asked = transferRequirementOf(deps, way, binding);
    return { requirements: asked === undefined ? [] : [asked], requirementsV1: [], challenges: [] };
  }
  const terms = transferTermsOf(way);
  const version1 = exactRequirementV1(terms, { url, description: route.name });
  return {
    requirements: [exactRequirement(terms, binding)],
    requirementsV1: version1 === undefined ? [] : [version1],
    challenges: [draft(evmMethod, evmRequest({ ...terms, decimals: way.asset.decimals }))],
  };
}

function offerOf({ route, method, url, bodySha256, tool }: Wanted, livemode: boolean, now: Instant): Offer {
  const digest = bodySha256 === undefined ? undefined : Buffer.from(bodySha256).toString("base64url");
  return {
    "@context": "https://schema.org",
    "@type": "Offer",
    id: newId("offer"),
    sku: route.sku,
    name: route.name,
    ...(route.description !== undefined && { description: route.description }),
    ...pricedAt(route),
    merchant: route.merchant.id,
    merchant_origin: route.merchant.origin,
    issued_at: toRfc3339(now),
    expires_at: toRfc3339(after(now, merchantNonceMs)),
    livemode,
    resource: { method, url, ...(digest !== undefined && { body_digest: digest }) },
    ...(tool !== undefined && { tool }),
    serve_by_s: route.serveByS,
    ...tabOf(route.meter === undefined ? route.price : leastOf(route.meter, route.price)),
    ...transferIn(route),
  };
}

type Priced = "amount_minor" | "currency" | "max_amount_minor" | "unit_price" | "commits" | "deliver";

/** What an offer says of money; of a price by use the least, the most, and what each unit costs between. */
export function pricedAt({ price, meter, deliver }: PaidRoute): Pick<Offer, Priced> {
  const held = toMinor(price);
  const streams = deliver === "stream" && ({ deliver } as const);
  if (meter === undefined) return { ...held, ...streams };
  const { unit, amountMinor, quantity, leastMinor } = meter;
  return {
    ...held,
    ...streams,
    amount_minor: leastMinor,
    max_amount_minor: held.amount_minor,
    unit_price: { unit, amount_minor: amountMinor, ...(quantity > 1 && { quantity }) },
    // What streams has left before it is captured.
    ...(deliver === "stream" && { commits: true }),
  };
}

/** Below what a card can be charged, purchases under a mandate run on a tab, which is charged at ten times that. */
function tabOf(price: Money): Pick<Offer, "tab" | "tab_minor"> {
  const least = cardMinimum(price.asset);
  return least === undefined || price.units >= least.units
    ? {}
    : { tab: true, tab_minor: Number(10n * least.units) };
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
