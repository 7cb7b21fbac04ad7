import { canonicalise } from "../jcs/index.ts";
import type { Offer } from "./offer.ts";

/**
 * Whether an offer is another one with nothing but tax or shipping added: the same goods, by the same merchant, under the
 * same id, and what is paid for them alone is the same (O13).
 */
export function addsOnlyTaxOrShipping(amended: Offer, original: Offer): boolean {
  const grows =
    amended.amount_minor > original.amount_minor &&
    (amended.tax_minor ?? 0) >= (original.tax_minor ?? 0) &&
    (amended.shipping_minor ?? 0) >= (original.shipping_minor ?? 0);
  return grows && canonicalise(goodsOf(amended)) === canonicalise(goodsOf(original));
}

/** All of an offer but for its times and what may be added; the amount is that of the goods. */
function goodsOf(offer: Offer) {
  const { issued_at: _i, expires_at: _e, tax_minor: tax = 0, shipping_minor: shipping = 0, ...rest } = offer;
  return { ...rest, amount_minor: rest.amount_minor - tax - shipping };
}
