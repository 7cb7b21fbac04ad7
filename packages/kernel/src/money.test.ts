import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type Asset,
  add,
  assetOf,
  assetOfCaip19,
  assets,
  fromBudgetUnits,
  fromDecimal,
  type Money,
  money,
  moneyOf,
  type Rounding,
  sameAsset,
  share,
  split,
  subtract,
  toBudgetUnits,
  toDecimal,
  toMinor,
  unitsMax,
} from "./index.ts";

const asset = (code: string): Asset => {
  const found = assetOf(code);
  if (found === undefined) throw new Error(`${code} is unknown`);
  return found;
};
const usd = asset("USD");
const dollars = (units: bigint): Money => money(usd, units);
const anyAsset = fc.constantFrom(...assets);
const anyUnits = fc.bigInt({ min: 0n, max: 10n ** 24n });
const sum = (parts: readonly Money[]): bigint => parts.reduce((total, part) => total + part.units, 0n);

describe("V01 an amount of our JSON is a whole number from 1 to 2^53-1, or it is refused", () => {
  test.each([
    -1,
    -0,
    0,
    1.5,
    "1e3",
    "100",
    2 ** 53,
    2 ** 60,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    "12345678901234567890",
    "٣",
    null,
    undefined,
    true,
    [1],
    {},
  ])("%j", (amount) => {
    expect(moneyOf(amount, "EUR")).toBeUndefined();
  });

  test("the ends of the range", () => {
    expect(moneyOf(1n, "EUR")).toBeUndefined();
    expect(moneyOf(1, "EUR")?.units).toBe(1n);
    expect(moneyOf(Number.MAX_SAFE_INTEGER, "EUR")?.units).toBe(unitsMax);
  });

  test("what a decimal text may be", () => {
    for (const text of [
      "-1",
      "+1",
      "1e3",
      "1.",
      ".5",
      "01",
      "1,000",
      "1_000",
      " 1",
      "1 ",
      "",
      "NaN",
      "Infinity",
      "٣",
      "１",
      "0x10",
      "1.005",
      "1.0000000000000000000",
      "9".repeat(32),
    ])
      expect(fromDecimal(usd, text), text).toBeUndefined();
    expect(fromDecimal(usd, "0")?.units).toBe(0n);
    expect(fromDecimal(usd, "12.5")?.units).toBe(1250n);
  });
});

describe("V02 every currency has its own places", () => {
  test.each([
    ["JPY", "100", 100n],
    ["JPY", "100.00", undefined],
    ["BHD", "1.234", 1234n],
    ["BHD", "1.2345", undefined],
    ["USD", "1.234", undefined],
    ["USDC_BASE", "0.000001", 1n],
    ["USDC_BASE", "0.0000001", undefined],
    ["CLF", "1.2345", 12345n],
  ])("%s %s", (code, text, units) => {
    expect(fromDecimal(asset(code), text)?.units).toBe(units);
  });

  test.each([
    "eur",
    "Eur",
    "EURO",
    "XXX",
    "XTS",
    "",
    " EUR",
    "USDC_BASE",
    "constructor",
    "__proto__",
    978,
    null,
    undefined,
  ])("no money of our JSON is in %j", (currency) => {
    expect(moneyOf(100, currency)).toBeUndefined();
  });

  test("tokens are found by their chain's name for them, in any letter case", () => {
    const token = asset("USDC_BASE");
    expect(token.caip19 && assetOfCaip19(token.caip19.toLowerCase())).toBe(token);
    expect(assetOfCaip19("eip155:1/erc20:0x0")).toBeUndefined();
  });

  test("a decimal text and its units say the same", () => {
    fc.assert(
      fc.property(anyAsset, anyUnits, (of, units) => {
        expect(fromDecimal(of, toDecimal(money(of, units)))).toEqual(money(of, units));
      }),
    );
  });

  test("what people read", () => {
    expect([0n, 5n, -5n, 1250n, -123_456n].map((units) => toDecimal(dollars(units)))).toEqual([
      "0.00",
      "0.05",
      "-0.05",
      "12.50",
      "-1234.56",
    ]);
    expect(toDecimal(money(asset("JPY"), -7n))).toBe("-7");
  });
});

describe("R02 what is split sums to the whole", () => {
  test("whatever the weights, and no part is a unit away from its due", () => {
    const weights = fc
      .array(fc.bigInt({ min: 0n, max: 10n ** 12n }), { minLength: 1, maxLength: 20 })
      .filter((all) => all.some((weight) => weight > 0n));
    fc.assert(
      fc.property(anyUnits, weights, (units, shares) => {
        const total = shares.reduce((all, weight) => all + weight, 0n);
        const parts = split(dollars(units), shares);
        expect(sum(parts)).toBe(units);
        for (const [index, part] of parts.entries()) {
          const due = units * (shares[index] ?? 0n);
          expect(part.units * total > due - total && part.units * total < due + total).toBe(true);
          if (shares[index] === 0n) expect(part.units).toBe(0n);
        }
      }),
    );
  });

  test("one minor unit goes to one part, the first of equals", () => {
    expect(split(dollars(1n), [1n, 1n, 1n]).map(({ units }) => units)).toEqual([1n, 0n, 0n]);
    expect(split(dollars(100n), [1n, 1n, 1n]).map(({ units }) => units)).toEqual([34n, 33n, 33n]);
    expect(split(dollars(10n), [3333n, 3333n, 3334n]).map(({ units }) => units)).toEqual([3n, 3n, 4n]);
  });

  test("10 000 splits of a cent more each lose nothing", () => {
    for (let cents = 0n; cents < 10_000n; cents++)
      expect(sum(split(dollars(cents), [9_710n, 290n]))).toBe(cents);
  });

  test("nothing is split by nothing", () => {
    for (const weights of [[], [0n], [1n, -1n]])
      expect(() => split(dollars(100n), weights)).toThrow("broken promise");
    expect(() => split(dollars(-1n), [1n])).toThrow("broken promise");
  });
});

describe("R02 a share is rounded as said, and in no other way", () => {
  test.each([
    [3333n, 290n, "half-even", 97n],
    [3333n, 290n, "down", 96n],
    [3333n, 290n, "up", 97n],
    [50n, 100n, "half-even", 0n],
    [150n, 100n, "half-even", 2n],
    [250n, 100n, "half-even", 2n],
    [251n, 100n, "half-even", 3n],
    [1n, 1n, "up", 1n],
    [1n, 1n, "down", 0n],
    [0n, 290n, "up", 0n],
    [-150n, 100n, "half-even", -2n],
    [-1n, 1n, "down", 0n],
    [100n, 3333n, "half-even", 33n],
    [10_000n, 10_000n, "down", 10_000n],
  ] satisfies [bigint, bigint, Rounding, bigint][])(
    "%s units at %s basis points, %s: %s",
    (units, points, rounding, expected) => {
      expect(share(dollars(units), points, rounding).units).toBe(expected);
    },
  );

  test("never differs from the exact value by a unit, and the rest is never negative", () => {
    const points = fc.bigInt({ min: 0n, max: 10_000n });
    fc.assert(
      fc.property(
        anyUnits,
        points,
        fc.constantFrom<Rounding>("down", "up", "half-even"),
        (units, basisPoints, rounding) => {
          const fee = share(dollars(units), basisPoints, rounding);
          const distance = fee.units * 10_000n - units * basisPoints;
          expect(distance < 10_000n && distance > -10_000n).toBe(true);
          expect(subtract(dollars(units), fee).units >= 0n).toBe(true);
        },
      ),
    );
  });
});

describe("budgets count in millionths", () => {
  test("exactly for what has up to six places, and back", () => {
    fc.assert(
      fc.property(anyAsset, anyUnits, (of, units) => {
        const amount = money(of, units);
        expect(fromBudgetUnits(of, toBudgetUnits(amount))).toEqual(amount);
      }),
    );
  });

  test("a cent and six-decimal tokens meet; finer tokens round up when they are spent and down when they are given", () => {
    expect(toBudgetUnits(dollars(1n))).toBe(toBudgetUnits(money(asset("USDC_BASE"), 10_000n)));
    const fine: Asset = { code: "FINE", places: 18, kind: "token" };
    expect(toBudgetUnits(money(fine, 1n))).toBe(1n);
    expect(toBudgetUnits(money(fine, 10n ** 12n))).toBe(1n);
    expect(toBudgetUnits(money(fine, 10n ** 12n + 1n))).toBe(2n);
    expect(fromBudgetUnits(usd, 19_999n).units).toBe(1n);
    expect(fromBudgetUnits(fine, 1n).units).toBe(10n ** 12n);
  });
});

describe("money of two assets never meets by accident", () => {
  test("sums and differences", () => {
    expect(add(dollars(1n), dollars(2n)).units).toBe(3n);
    expect(subtract(dollars(1n), dollars(2n)).units).toBe(-1n);
    expect(sameAsset(dollars(1n), money(asset("EUR"), 1n))).toBe(false);
    expect(() => add(dollars(1n), money(asset("EUR"), 1n))).toThrow("broken promise");
    expect(() => subtract(dollars(1n), money(asset("USDC_BASE"), 1n))).toThrow("broken promise");
  });

  test("what does not fit a JSON integer is not written as one", () => {
    expect(toMinor(dollars(unitsMax))).toEqual({ amount_minor: Number.MAX_SAFE_INTEGER, currency: "USD" });
    for (const units of [unitsMax + 1n, -unitsMax - 1n])
      expect(() => toMinor(dollars(units))).toThrow("broken promise");
  });
});

test("every asset has one code, and its places are those of ISO 4217", () => {
  expect(new Set(assets.map(({ code }) => code)).size).toBe(assets.length);
  for (const { code, kind } of assets) if (kind === "fiat") expect(code).toMatch(/^[A-Z]{3}$/);
  expect(["EUR", "JPY", "KWD", "UYW", "HUF", "ISK", "CLP", "IDR"].map((code) => asset(code).places)).toEqual([
    2, 0, 3, 4, 2, 0, 0, 2,
  ]);
});
