import { toDecimal } from "@remit/kernel";
import { type Offer, Problem, priceOf } from "@remit/protocol";

/** What this process refuses to spend, whatever its mandates allow. Amounts are minor units per currency. */
export type SpendLimits = {
  readonly perPaymentMinor?: Readonly<Record<string, number>>;
  readonly totalMinor?: Readonly<Record<string, number>>;
  readonly merchants?: readonly string[];
};

export type Spending = {
  /** Counts the price against the limits, or refuses; `undo` gives it back when nothing was paid. */
  reserve(offer: Offer): { undo(): void };
};

export function createSpending(limits: SpendLimits): Spending {
  const spent = new Map<string, number>();
  return {
    reserve(offer) {
      const { currency, merchant_origin: origin } = offer;
      const minor = Number(priceOf(offer).units);
      const total = (spent.get(currency) ?? 0) + minor;
      if (limits.merchants?.includes(origin) === false) throw over(`it does not buy from ${origin}`);
      if (minor > (limits.perPaymentMinor?.[currency] ?? Infinity))
        throw over(`${toDecimal(priceOf(offer))} ${currency} is above its limit for one payment`);
      if (total > (limits.totalMinor?.[currency] ?? Infinity))
        throw over(`its own total for ${currency} is used up`);
      spent.set(currency, total);
      return { undo: () => void spent.set(currency, (spent.get(currency) ?? 0) - minor) };
    },
  };
}

const over = (why: string): Problem =>
  new Problem("spend_limit_exceeded", { detail: `This agent limits itself: ${why}.` });
