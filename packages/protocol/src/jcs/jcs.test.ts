import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { canonicalise } from "./index.ts";

const numberOfBits = (bits: string): number => Buffer.from(bits, "hex").readDoubleBE();

describe("RFC 8785", () => {
  test("§3.2.2: literals, numbers and texts", () => {
    const text =
      '{"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}';
    expect(canonicalise(JSON.parse(text))).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("§3.2.3: names in the order of UTF-16 code units", () => {
    const text =
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control","\\u00f6":"Latin Small Letter O With Diaeresis"}';
    const names = Object.values<string>(JSON.parse(canonicalise(JSON.parse(text))));
    const order = canonicalise(JSON.parse(text))
      .match(/:"[^"]+"/g)
      ?.map((value) => value.slice(2, -1));
    expect(order).toEqual([
      "Carriage Return",
      "One",
      "Control",
      "Latin Small Letter O With Diaeresis",
      "Euro Sign",
      "Emoji: Grinning Face",
      "Hebrew Letter Dalet With Dagesh",
    ]);
    expect(names).toHaveLength(7);
  });

  test.each([
    ["0000000000000000", "0"],
    ["8000000000000000", "0"],
    ["0000000000000001", "5e-324"],
    ["8000000000000001", "-5e-324"],
    ["7fefffffffffffff", "1.7976931348623157e+308"],
    ["4340000000000000", "9007199254740992"],
    ["c340000000000000", "-9007199254740992"],
    ["4430000000000000", "295147905179352830000"],
    ["44b52d02c7e14af5", "9.999999999999997e+22"],
    ["44b52d02c7e14af6", "1e+23"],
    ["44b52d02c7e14af7", "1.0000000000000001e+23"],
    ["444b1ae4d6e2ef4e", "999999999999999700000"],
    ["444b1ae4d6e2ef50", "1e+21"],
    ["3eb0c6f7a0b5ed8c", "9.999999999999997e-7"],
    ["3eb0c6f7a0b5ed8d", "0.000001"],
    ["41b3de4355555553", "333333333.3333332"],
    ["41b3de4355555557", "333333333.33333343"],
    ["becbf647612f3696", "-0.0000033333333333333333"],
    ["43143ff3c1cb0959", "1424953923781206.2"],
  ])("appendix B: %s is written %s", (bits, text) => {
    expect(canonicalise(numberOfBits(bits))).toBe(text);
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, "\ud83d", { "\ude02": 1 }])(
    "what JSON cannot hold is our bug",
    (value) => {
      expect(() => canonicalise(value)).toThrow("broken promise");
    },
  );
});

test("structures: nested objects sort, lists keep their order, absent members are left out", () => {
  expect(canonicalise({ b: [{ d: 1, c: [] }, {}], a: { z: undefined, y: "" }, "": null })).toBe(
    '{"":null,"a":{"y":""},"b":[{"c":[],"d":1},{}]}',
  );
});

test("the order of members never matters, and the text says the same", () => {
  const json = fc
    .dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    .filter((value) => !JSON.stringify(value).includes("__proto__"));
  fc.assert(
    fc.property(json, (value) => {
      const plain = JSON.parse(JSON.stringify(value));
      const reversed = Object.fromEntries(Object.entries(plain).toReversed());
      const text = canonicalise(plain);
      expect(canonicalise(JSON.parse(JSON.stringify(reversed)))).toBe(text);
      expect(JSON.parse(text)).toEqual(plain);
    }),
  );
});
