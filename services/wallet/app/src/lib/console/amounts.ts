import { assetOf, money, toDecimal } from "@remit/kernel";

/** Minor units as a decimal that a program reads, with every place; the units themselves of a currency nobody knows. */
export function decimalOf(minor: number, currency: string): string {
  const asset = assetOf(currency);
  return asset === undefined ? String(minor) : toDecimal(money(asset, BigInt(minor)));
}
