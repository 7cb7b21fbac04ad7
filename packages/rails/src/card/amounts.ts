import { assetOf, type Money, money } from "@remit/kernel";

/** What Stripe writes for an amount: an integer and a lower-case currency. */
export type StripeAmount = { readonly amount: number; readonly currency: string };

// Stripe's amounts differ from ISO 4217 here: ISK and UGX are sent with two decimals that must be 00, MGA with none.
const stripePlaces: Readonly<Record<string, number>> = { ISK: 2, UGX: 2, MGA: 0 };
const amountMax = 99_999_999n;

/** The amount as Stripe takes it; undefined when Stripe cannot express it (too large, or a fraction it has no place for). */
export function toStripe({ asset, units }: Money): StripeAmount | undefined {
  if (asset.kind !== "fiat" || units < 1n) return undefined;
  const amount = rescale(units, asset.places, stripePlaces[asset.code] ?? asset.places);
  // Three-decimal currencies are charged in steps of ten: their last digit must be 0.
  if (amount === undefined || amount > amountMax || (asset.places === 3 && amount % 10n !== 0n))
    return undefined;
  return { amount: Number(amount), currency: asset.code.toLowerCase() };
}

/** Money of an amount that Stripe wrote; undefined for a currency we do not know or an amount that is no integer. */
export function fromStripe(amount: number, currency: string): Money | undefined {
  const asset = assetOf(currency.toUpperCase());
  if (asset?.kind !== "fiat" || !Number.isSafeInteger(amount)) return undefined;
  const units = rescale(BigInt(amount), stripePlaces[asset.code] ?? asset.places, asset.places);
  return units === undefined ? undefined : money(asset, units);
}

function rescale(units: bigint, from: number, to: number): bigint | undefined {
  if (to >= from) return units * 10n ** BigInt(to - from);
  const step = 10n ** BigInt(from - to);
  return units % step === 0n ? units / step : undefined;
}
