import { assetOf, invariant, money } from "@remit/kernel";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { askingForUsage, costOf, type Meter, meterOf, meterText, usePaidBy } from "./index.ts";
import { readUsage, tokensOf } from "./usage.ts";

const usd = assetOf("USD");
invariant(usd !== undefined, "there are dollars");
const meter = (
  unitPrice: string,
  more: Partial<{ unit: "mtok" | "mb" | "hour"; leastMinor: number }> = {},
): Meter => {
  const made = meterOf({ unit: "mtok", leastMinor: 1, unitPrice, ...more }, money(usd, 1n));
  invariant(made !== undefined, "the price is one");
  return made;
};

describe("what a use costs", () => {
  test.each<[string, number, number]>([
    ["2.50", 1_000_000, 250],
    ["2.50", 4000, 1],
    ["2.50", 4001, 2],
    ["2.50", 0, 1],
    ["2.50", 2_000_000, 300],
    ["0.000001", 1_000_000, 1],
    ["0.125", 2_000_000, 25],
    ["0.125", 1_999_999, 25],
    ["0.125", 1_920_000, 24],
  ])("%s USD per million tokens: %i tokens cost %i cents, of 300 held", (price, used, cents) => {
    expect(costOf(meter(price), used, 300)).toBe(cents);
  });

  test("it is exact, rises with the use, and stays between the least and what is held", () => {
    const prices = fc.integer({ min: 1, max: 10_000_000 });
    const uses = fc.integer({ min: 0, max: 2 ** 40 });
    fc.assert(
      fc.property(prices, uses, fc.integer({ min: 5, max: 10_000 }), (millionths, used, held) => {
        const text = `${Math.floor(millionths / 1_000_000)}.${String(millionths % 1_000_000).padStart(6, "0")}`;
        const by = meter(text, { leastMinor: 5 });
        const cost = costOf(by, used, held);
        // In 10^-6 of a cent's hundredth part of a unit: no rounding on this side.
        const exact = BigInt(used) * BigInt(millionths);
        const cent = 10_000n * 1_000_000n;
        if (cost > 5 && cost < held) {
          expect(BigInt(cost) * cent >= exact).toBe(true);
          expect(BigInt(cost - 1) * cent < exact).toBe(true);
        }
        expect(cost).toBeGreaterThanOrEqual(5);
        expect(cost).toBeLessThanOrEqual(held);
        const most = usePaidBy(by, held);
        expect(costOf(by, most, held + 5)).toBeLessThanOrEqual(held);
        expect(costOf(by, most + 1, held + 5)).toBeGreaterThan(held);
      }),
    );
  });

  test("hours and megabytes are counted in milliseconds and bytes", () => {
    expect(costOf(meter("6.00", { unit: "hour" }), 60_000, 1000)).toBe(10);
    expect(costOf(meter("6.00", { unit: "hour" }), 60_001, 1000)).toBe(11);
    expect(costOf(meter("0.10", { unit: "mb" }), 1_000_000, 1000)).toBe(10);
    expect(usePaidBy(meter("0.10", { unit: "mb" }), 10)).toBe(1_000_000);
  });

  test("people read what each unit costs, and between what bounds", () => {
    const most = money(usd, 300n);
    expect(meterText(meter("1.00", { leastMinor: 50 }), most)).toBe(
      "1.00 USD per million tokens, at least 0.50, at most 3.00",
    );
    expect(meterText(meter("0.125", { unit: "mb" }), most)).toBe(
      "0.25 USD per 2 × MB, at least 0.01, at most 3.00",
    );
  });

  test.each(["0", "0.0", "-1", "1e3", "0.0000001", "x"])("a price of %s is none", (unitPrice) => {
    expect(meterOf({ unit: "mb", unitPrice, leastMinor: 1 }, money(usd, 1n))).toBeUndefined();
  });
});

describe("what a model says that it used", () => {
  const json = (value: unknown) => ({
    fields: [["Content-Type", "application/json"]] as const,
    body: Buffer.from(JSON.stringify(value)),
  });

  test.each<[string, unknown, number]>([
    ["a chat completion", { usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: 15 } }, 15],
    ["one that leaves the sum out", { usage: { prompt_tokens: 10, completion_tokens: 5 } }, 15],
    ["embeddings", { usage: { prompt_tokens: 8, total_tokens: 8 } }, 8],
    ["a response", { usage: { input_tokens: 3, output_tokens: 4, total_tokens: 7 } }, 7],
    ["one without a word of it", { id: "x" }, 0],
    ["one that says less than nothing", { usage: { total_tokens: -5 } }, 0],
    ["one that says it in fractions", { usage: { total_tokens: 1.5 } }, 0],
    ["one that says it in text", { usage: { total_tokens: "9" } }, 0],
    ["no object", [1], 0],
  ])("%s", (_, value, tokens) => {
    expect(tokensOf(json(value))).toBe(tokens);
  });

  test("a stream is read wherever it is cut, and its last word counts", () => {
    const text = [
      'data: {"choices":[{"delta":{"role":"assistant"}}],"usage":null}',
      'data: {"choices":[{"delta":{"content":"é"}}]}',
      'data: {"choices":[{"delta":{"content":"b"}}]}',
      ": a comment",
      'data: {"choices":[],"usage":{"prompt_tokens":20,"completion_tokens":2,"total_tokens":22}}',
      "data: [DONE]",
      "",
    ].join("\r\n\r\n");
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at++) {
      const reader = readUsage();
      reader.read(bytes.subarray(0, at));
      reader.read(bytes.subarray(at));
      expect(reader.tokens(), `cut at ${at}`).toBe(22);
    }
    const half = readUsage();
    half.read(bytes.subarray(0, text.indexOf(": a comment")));
    expect(half.tokens()).toBe(2);
  });

  test("the two halves that some models tell apart are one use", () => {
    const reader = readUsage();
    reader.read(Buffer.from('data: {"message":{"usage":{"input_tokens":9,"output_tokens":1}}}\n'));
    reader.read(Buffer.from('data: {"usage":{"output_tokens":30}}\n'));
    expect(reader.tokens()).toBe(39);
  });

  test("a line without an end fills no memory, and the next ones are read", () => {
    const reader = readUsage();
    for (let i = 0; i < 20; i++) reader.read(Buffer.alloc(100_000, "x"));
    reader.read(Buffer.from('\ndata: {"usage":{"total_tokens":4}}\n'));
    expect(reader.tokens()).toBe(4);
  });

  test("only a request for a stream is told to say it, and nothing else of it changes", () => {
    const asked = (value: unknown): unknown =>
      JSON.parse(Buffer.from(askingForUsage(Buffer.from(JSON.stringify(value))) ?? "").toString());
    const chat = { messages: [], stream: true, stream_options: { chunk_size: 1 } };
    expect(asked(chat)).toEqual({ ...chat, stream_options: { chunk_size: 1, include_usage: true } });
    for (const other of [{ messages: [] }, { messages: [], stream: false }, { input: "x", stream: true }])
      expect(asked(other)).toEqual(other);
    const odd = Buffer.from('{"messages" : [], "stream":false }');
    expect(askingForUsage(odd)).toBe(odd);
    expect(askingForUsage(Buffer.from("no json"))?.toString()).toBe("no json");
    expect(askingForUsage(undefined)).toBeUndefined();
  });
});
