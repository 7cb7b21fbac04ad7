import { toDecimal } from "@remit/kernel";
import {
  cardRequirement,
  evmMethod,
  type JsonObject,
  mandateMethod,
  type PaymentRequirement,
  stripeMethod,
} from "@remit/protocol";
import { meterText } from "../metering/index.ts";
import type { PaidRoute, SaleRoute, Shop, Way } from "../offers/index.ts";
import { cardTermsOf, type Settlers, transferRequirementOf } from "../paywall/index.ts";

/** What a shop tells of: what is not hidden. */
export const listedOf = ({ routes }: Shop): readonly SaleRoute[] => routes.filter(({ hidden }) => !hidden);

export const pathOf = ({ pattern }: SaleRoute): string => `/${pattern.join("/")}`;

/** True for a path that is one address, and no form of many. */
export const isOneAddress = ({ pattern }: SaleRoute): boolean =>
  pattern.every((segment) => segment !== "*" && !segment.startsWith(":"));

/** `0.05 USD`, or what each unit of use costs, and the least and the most of one request. */
export const amountText = ({ price, meter }: PaidRoute): string =>
  meter === undefined ? `${toDecimal(price)} ${price.asset.code}` : meterText(meter, price);

/** One way to pay, as the Payment scheme's discovery says it (draft-payment-discovery-01, "Payment Offer Object"), if it can. */
export function offerBy(route: PaidRoute, way: Way): JsonObject | undefined {
  switch (way.rail) {
    case "mandate":
      return { ...mandateMethod, amount: String(route.price.units), currency: route.price.asset.code };
    case "card": {
      const { amount, currency } = cardTermsOf(route, way);
      return { ...stripeMethod, amount, currency };
    }
    case "x402":
      // The scheme knows no price by use on a chain; x402 does.
      if (way.scheme === "upto") return undefined;
      return {
        ...evmMethod,
        amount: String(way.amount),
        currency: way.asset.address,
        description: way.network,
      };
  }
}

/** What x402's clients can pay by; the 402 itself binds it to a request. */
export const entriesOf = (settlers: Settlers, route: PaidRoute): readonly PaymentRequirement[] =>
  route.ways.flatMap((way) => {
    if (way.rail === "x402") return transferRequirementOf(settlers, way) ?? [];
    return way.rail === "card" ? [unbound(cardRequirement(cardTermsOf(route, way), ""))] : [];
  });

/** An entry for no request in particular. */
function unbound(entry: PaymentRequirement): PaymentRequirement {
  const { binding: _, ...extra } = entry.extra;
  return { ...entry, extra };
}
