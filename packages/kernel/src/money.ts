import { type Asset, assetOf } from "./assets.ts";
import { invariant } from "./invariant.ts";

/** Whole units of an asset: 12.50 USD is `{asset: USD/2, units: 1250n}`. Never a float, never a bare number. */
export type Money = { readonly asset: Asset; readonly units: bigint };

export type Rounding = "down" | "up" | "half-even";

/** The greatest amount our JSON carries as an integer (2^53 - 1 minor units). */
export const unitsMax = BigInt(Number.MAX_SAFE_INTEGER);

const budgetPlaces = 6;

export const money = (asset: Asset, units: bigint): Money => ({ asset, units });

/** Money from our JSON: `amount_minor` (integer, 1 … 2^53-1) beside `currency` (ISO 4217, upper case). */
export function moneyOf(amountMinor: unknown, currency: unknown): Money | undefined {
  if (typeof amountMinor !== "number" || !Number.isSafeInteger(amountMinor) || amountMinor < 1)
    return undefined;
  const asset = typeof currency === "string" ? assetOf(currency) : undefined;
  return asset?.kind === "fiat" ? { asset, units: BigInt(amountMinor) } : undefined;
}

/** Our JSON form of fiat money. */
export function toMinor(amount: Money): { amount_minor: number; currency: string } {
  invariant(amount.units <= unitsMax && amount.units >= -unitsMax, "an amount fits a JSON integer");
  return { amount_minor: Number(amount.units), currency: amount.asset.code };
}

export const sameAsset = (a: Money, b: Money): boolean => a.asset.code === b.asset.code;

export function add(a: Money, b: Money): Money {
  invariant(sameAsset(a, b), "sums are of one asset");
  return money(a.asset, a.units + b.units);
}

export function subtract(a: Money, b: Money): Money {
  invariant(sameAsset(a, b), "differences are of one asset");
  return money(a.asset, a.units - b.units);
}

/** A part in basis points (1/10 000), rounded as said: the share of 33.33 USD at 290n is 0.97 USD. */
export const share = (whole: Money, basisPoints: bigint, rounding: Rounding): Money =>
  money(whole.asset, divide(whole.units * basisPoints, 10_000n, rounding));

/**
 * Splits by weights without losing a unit: each part is rounded down, and the units left over go one by one to the
 * parts with the greatest remainder, the first of equals first. The parts always sum to the whole.
 */
export function split(whole: Money, weights: readonly bigint[]): Money[] {
  invariant(whole.units >= 0n, "what is split is not negative");
  invariant(weights.length > 0 && weights.every((weight) => weight >= 0n), "weights are not negative");
  const total = weights.reduce((sum, weight) => sum + weight, 0n);
  invariant(total > 0n, "weights do not sum to nothing");
  const parts = weights.map((weight) => (whole.units * weight) / total);
  const order = weights
    .map((weight, index) => ({ index, remainder: (whole.units * weight) % total }))
    .sort((a, b) => (a.remainder === b.remainder ? a.index - b.index : a.remainder > b.remainder ? -1 : 1));
  const left = Number(whole.units - parts.reduce((sum, part) => sum + part, 0n));
  for (const { index } of order.slice(0, left)) parts[index] = (parts[index] ?? 0n) + 1n;
  invariant(parts.reduce((sum, part) => sum + part, 0n) === whole.units, "the parts sum to the whole");
  return parts.map((units) => money(whole.asset, units));
}

/** Units of 10^-6 in which budgets count, so that cents and six-decimal tokens meet; finer tokens round up. */
export function toBudgetUnits(amount: Money): bigint {
  const { places } = amount.asset;
  if (places <= budgetPlaces) return amount.units * 10n ** BigInt(budgetPlaces - places);
  return divide(amount.units, 10n ** BigInt(places - budgetPlaces), "up");
}

/** Money of budget units: the reverse of `toBudgetUnits`, rounded down to what the asset can express. */
export function fromBudgetUnits(asset: Asset, budgetUnits: bigint): Money {
  if (asset.places >= budgetPlaces)
    return money(asset, budgetUnits * 10n ** BigInt(asset.places - budgetPlaces));
  return money(asset, divide(budgetUnits, 10n ** BigInt(budgetPlaces - asset.places), "down"));
}

/** `12.50` without a currency sign; what people read beside the code. */
export function toDecimal({ units, asset }: Money): string {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString().padStart(asset.places + 1, "0");
  if (asset.places === 0) return sign + digits;
  return `${sign}${digits.slice(0, -asset.places)}.${digits.slice(-asset.places)}`;
}

/** Parses `12.5` into units of the asset; undefined when it is no plain decimal or has too many places. */
export function fromDecimal(asset: Asset, text: string): Money | undefined {
  const match = /^(0|[1-9]\d{0,30})(?:\.(\d{1,18}))?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[2] ?? "";
  if (fraction.length > asset.places) return undefined;
  return money(asset, BigInt((match[1] ?? "0") + fraction.padEnd(asset.places, "0")));
}

function divide(numerator: bigint, denominator: bigint, rounding: Rounding): bigint {
  invariant(denominator > 0n, "denominators are positive");
  const negative = numerator < 0n;
  const magnitude = negative ? -numerator : numerator;
  const quotient = magnitude / denominator;
  const rest = magnitude % denominator;
  const up =
    rest > 0n && (rounding === "up" || (rounding === "half-even" && beyondHalf(quotient, rest, denominator)));
  const rounded = up ? quotient + 1n : quotient;
  return negative ? -rounded : rounded;
}

const beyondHalf = (quotient: bigint, rest: bigint, denominator: bigint): boolean =>
  rest * 2n > denominator || (rest * 2n === denominator && quotient % 2n === 1n);
