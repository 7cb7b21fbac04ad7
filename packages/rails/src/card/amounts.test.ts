import { assetOf, assets, type Money, money } from "@remit/kernel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cardMinimum, fromStripe, toStripe } from "./index.ts";

const of = (code: string, units: bigint): Money => {
  const asset = assetOf(code);
  if (asset === undefined) throw new TypeError(code);
  return money(asset, units);
};

describe("V02 minor units at Stripe", () => {
  test("V02 places follow ISO 4217, but for the three that Stripe writes otherwise", () => {
    expect(toStripe(of("USD", 1250n))).toEqual({ amount: 1250, currency: "usd" });
    expect(toStripe(of("JPY", 1250n))).toEqual({ amount: 1250, currency: "jpy" });
    expect(toStripe(of("ISK", 5n))).toEqual({ amount: 500, currency: "isk" });
    expect(toStripe(of("UGX", 5n))).toEqual({ amount: 500, currency: "ugx" });
    expect(toStripe(of("MGA", 500n))).toEqual({ amount: 5, currency: "mga" });
    expect(toStripe(of("BHD", 1230n))).toEqual({ amount: 1230, currency: "bhd" });
  });

  test("V02 what Stripe cannot express is refused, never rounded", () => {
    expect(toStripe(of("BHD", 1234n))).toBeUndefined();
    expect(toStripe(of("MGA", 550n))).toBeUndefined();
    expect(toStripe(of("USD", 100_000_000n))).toBeUndefined();
    expect(toStripe(of("USD", 0n))).toBeUndefined();
    expect(toStripe(of("USD", -5n))).toBeUndefined();
    expect(toStripe(of("USDC_BASE", 5_000_000n))).toBeUndefined();
    expect(fromStripe(550, "isk")).toBeUndefined();
    expect(fromStripe(1.5, "usd")).toBeUndefined();
    expect(fromStripe(100, "xxx")).toBeUndefined();
  });

  test("V02 there and back is the same money for every currency", () => {
    const fiat = assets.filter(({ kind }) => kind === "fiat");
    fc.assert(
      fc.property(fc.constantFrom(...fiat), fc.bigInt(1n, 10_000_000_000n), (asset, units) => {
        const sent = toStripe(money(asset, units));
        if (sent !== undefined) expect(fromStripe(sent.amount, sent.currency)).toEqual(money(asset, units));
      }),
      { numRuns: 2000 },
    );
  });

  test("minimums are known for Stripe's main currencies and only for them", () => {
    expect(cardMinimum(of("EUR", 1n).asset)?.units).toBe(50n);
    expect(cardMinimum(of("GBP", 1n).asset)?.units).toBe(30n);
    expect(cardMinimum(of("KWD", 1n).asset)).toBeUndefined();
  });
});
