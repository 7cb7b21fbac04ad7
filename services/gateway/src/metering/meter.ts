import { fromDecimal, invariant, type Money, money, toDecimal } from "@remit/kernel";

/** What can be counted: a million tokens of a model, a megabyte (10^6 bytes) of answer, an hour of serving. */
export type MeteredUnit = "mtok" | "mb" | "hour";

/**
 * A price by use: `quantity` units cost `amountMinor`. A purchase costs `leastMinor` at least, and at most what was held
 * for it. Whole numbers alone, so that two who count the same use ask for the same money.
 */
export type Meter = {
  readonly unit: MeteredUnit;
  readonly amountMinor: number;
  readonly quantity: number;
  readonly leastMinor: number;
};

/** How much of what is counted (tokens, bytes, milliseconds) makes one unit. */
const countsPerUnit: Readonly<Record<MeteredUnit, bigint>> = {
  mtok: 1_000_000n,
  mb: 1_000_000n,
  hour: 3_600_000n,
};

const rateOf = ({ unit, amountMinor, quantity }: Meter): { minor: bigint; per: bigint } => ({
  minor: BigInt(amountMinor),
  per: countsPerUnit[unit] * BigInt(quantity),
});

/**
 * What a use costs, in minor units. It is rounded once, at the end, and up: a coin that is begun is the seller's. Never
 * more than `held`, and never less than the least.
 */
export function costOf(meter: Meter, used: number, held: number): number {
  invariant(Number.isSafeInteger(used) && used >= 0, "use is counted in whole numbers");
  const { minor, per } = rateOf(meter);
  const exact = (BigInt(used) * minor + per - 1n) / per;
  const least = BigInt(meter.leastMinor);
  const cost = exact < least ? least : exact;
  return Number(cost < BigInt(held) ? cost : BigInt(held));
}

/** The most use that `held` pays for. */
export function usePaidBy(meter: Meter, held: number): number {
  const { minor, per } = rateOf(meter);
  const most = (BigInt(held) * per) / minor;
  return Number(most < BigInt(Number.MAX_SAFE_INTEGER) ? most : BigInt(Number.MAX_SAFE_INTEGER));
}

const finestPlaces = 6;

/**
 * The meter of a price that is written as a decimal per unit, such as 0.125 USD per million tokens: 25 cents for each two
 * of them. Undefined for nothing, and for what does not fit.
 */
export function meterOf(
  price: { readonly unit: MeteredUnit; readonly unitPrice: string; readonly leastMinor: number },
  { asset }: Money,
): Meter | undefined {
  const fine = fromDecimal({ ...asset, places: Math.max(asset.places, finestPlaces) }, price.unitPrice);
  if (fine === undefined || fine.units === 0n) return undefined;
  const per = 10n ** BigInt(fine.asset.places - asset.places);
  const shared = greatestDivisor(fine.units, per);
  const amountMinor = Number(fine.units / shared);
  if (!Number.isSafeInteger(amountMinor)) return undefined;
  return { unit: price.unit, amountMinor, quantity: Number(per / shared), leastMinor: price.leastMinor };
}

const greatestDivisor = (a: bigint, b: bigint): bigint => (b === 0n ? a : greatestDivisor(b, a % b));

/** What is charged of a purchase by this meter when nothing more is used. */
export const leastOf = ({ leastMinor }: Meter, { asset }: Money): Money => money(asset, BigInt(leastMinor));

/** `0.25 USD per 2 × million tokens, at least 0.50, at most 3.00`. */
export function meterText(meter: Meter, most: Money): string {
  const decimal = (units: number): string => toDecimal(money(most.asset, BigInt(units)));
  const least = toDecimal(leastOf(meter, most));
  return `${decimal(meter.amountMinor)} ${most.asset.code} per ${unitText(meter)}, at least ${least}, at most ${toDecimal(most)}`;
}

const names: Readonly<Record<MeteredUnit, string>> = { mtok: "million tokens", mb: "MB", hour: "hour" };

/** `million tokens`, or `2 million tokens`: what the amount of a meter buys. */
const unitText = ({ unit, quantity }: Meter): string =>
  quantity === 1 ? names[unit] : `${quantity} × ${names[unit]}`;
