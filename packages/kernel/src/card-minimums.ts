import type { Asset } from "./assets.ts";
import { type Money, money } from "./money.ts";

// Stripe's published minimum charges, in minor units of ISO 4217.
// biome-ignore format: a table
const minimums: Readonly<Record<string, bigint>> = {
  AED: 200n, AUD: 50n, BGN: 100n, BRL: 50n, CAD: 50n, CHF: 50n, CZK: 1500n, DKK: 250n, EUR: 50n, GBP: 30n,
  HKD: 400n, HUF: 17500n, INR: 50n, JPY: 50n, MXN: 1000n, MYR: 200n, NOK: 300n, NZD: 50n, PLN: 200n, RON: 200n,
  SEK: 300n, SGD: 50n, THB: 1000n, USD: 50n,
};

/** Whether a card can be charged it: Stripe takes a currency of three places in steps of ten. */
export const isInCardSteps = ({ asset, units }: Money): boolean => asset.places !== 3 || units % 10n === 0n;

/** The least that a card can be charged; undefined where Stripe publishes none and settles it by conversion. */
export const cardMinimum = (asset: Asset): Money | undefined => {
  const units = minimums[asset.code];
  return units === undefined ? undefined : money(asset, units);
};
