import { assetOf, fromDecimal } from "@remit/kernel";

/** Money as somebody types it: digits with a point or a comma; undefined when it is none of this currency. */
export function minorIn(text: string, currency: string): number | undefined {
  const asset = assetOf(currency);
  const typed = text.replaceAll(/[\s\u00a0\u202f'’]/g, "").replace(",", ".");
  const amount = asset === undefined ? undefined : fromDecimal(asset, typed);
  return amount === undefined || amount.units < 1n || amount.units > BigInt(Number.MAX_SAFE_INTEGER)
    ? undefined
    : Number(amount.units);
}
