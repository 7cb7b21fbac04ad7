import type { Id } from "@remit/kernel";
import { parseJson, type Sha256 } from "../encoding/index.ts";
import type { Unproven } from "../jose/index.ts";
import { Members } from "../members.ts";
import {
  checkExpected,
  checkOfferTime,
  type ExpectedOffer,
  examineSignedResponse,
  type Offer,
  offerLifetimeMsMax,
  parseOffer,
  type SignedResponse,
} from "../offer/index.ts";
import { Problem } from "../problems.ts";

/** Where a merchant's catalogue stands on its origin. */
export const cataloguePath = "/.well-known/oid4ac-catalog";

/** All that a merchant sells, signed as one response for at most 600 s. */
export type Catalogue = {
  readonly "@context": "https://schema.org";
  readonly "@type": "OfferCatalog";
  readonly merchant: Id<"merchant">;
  readonly merchant_origin: string;
  readonly name: string;
  readonly livemode: boolean;
  readonly offers: readonly Offer[];
};

const offersMax = 10_000;
const bytesMax = 4 * 1024 * 1024;

export const makeCatalogue = (
  merchant: Pick<Catalogue, "merchant" | "merchant_origin" | "name" | "livemode">,
  offers: readonly Offer[],
): Catalogue => ({ "@context": "https://schema.org", "@type": "OfferCatalog", ...merchant, offers });

/** Reads a signed catalogue; one offer of another merchant, or a price that has expired, refuses the whole. */
export function examineCatalogue(
  response: SignedResponse,
  expected: ExpectedOffer & { readonly sha256: Sha256 },
): Unproven<Catalogue> {
  const lifetimeMsMax = offerLifetimeMsMax.catalogue;
  const { checks } = examineSignedResponse(response, { ...expected, lifetimeMsMax });
  const json = Members.of(
    parseJson(response.body, { bytesMax, refuse: "offer_malformed" }),
    "offer_malformed",
    "catalogue",
  );
  json.oneOf("@type", ["OfferCatalog"]);
  const offers = json.list("offers", offersMax).map(parseOffer);
  const origin = json.text("merchant_origin", { max: 300 });
  const livemode = json.flag("livemode");
  for (const offer of offers) {
    checkOfferTime(offer, expected.now, offerLifetimeMsMax.jws);
    checkExpected(offer, { ...expected, origin: expected.origin ?? origin, livemode });
    if (offer.merchant !== json.get("merchant")) throw new Problem("offer_merchant_mismatch");
  }
  const merchant = merchantOf(json, expected);
  const name = json.text("name", { max: 300 });
  return { checks, value: makeCatalogue({ merchant, merchant_origin: origin, name, livemode }, offers) };
}

function merchantOf(json: Members, expected: ExpectedOffer): Id<"merchant"> {
  const merchant = json.id("merchant", "merchant");
  const origin = json.get("merchant_origin");
  if (expected.merchant !== undefined && merchant !== expected.merchant)
    throw new Problem("offer_merchant_mismatch");
  if (expected.origin !== undefined && origin !== expected.origin)
    throw new Problem("offer_merchant_mismatch", { detail: "merchant_origin is another origin" });
  return merchant;
}
