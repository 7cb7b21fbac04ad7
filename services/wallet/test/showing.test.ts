import { describe, expect, test } from "vitest";
import { csvOf, formatIn, matching, momentsOf, triggersOf } from "../src/showing/index.ts";

describe("money as it is shown", () => {
  // U+00A0 stands between a figure and what names it.
  test.each([
    [1_250, "USD", "$12.50"],
    [1_250, "JPY", "¥1,250"],
    [1_250, "KWD", "KWD\u00a01.250"],
    [-5, "EUR", "-€0.05"],
    [9_007_199_254_740_991, "USD", "$90,071,992,547,409.91"],
    [50_000, "USDC_BASE", "0.050000 USDC_BASE"],
    [7, "???", "7 ???"],
  ])("%i of %s is %s: every place, and nothing rounded", (minor, currency, shown) => {
    expect(formatIn("en", "UTC").money(minor, currency)).toBe(shown);
  });
});

test("whoever names ever more zones fills no memory: the formats that were used last are kept", () => {
  const first = formatIn("de", "+00:01");
  const used = formatIn("de", "UTC");
  for (let minute = 2; minute < 402; minute++) {
    const at = `+${String(Math.floor(minute / 60)).padStart(2, "0")}:${String(minute % 60).padStart(2, "0")}`;
    formatIn("de", at);
    expect(formatIn("de", "UTC")).toBe(used);
  }
  expect(formatIn("de", "+00:01")).not.toBe(first);
});

describe("a table as a file", () => {
  const bytesOf = async (rows: readonly string[][]): Promise<string> =>
    (await csvOf(["a", "b"], "x.csv", async () => ({ rows, next: null }))).text();

  test.each([
    ["=1+1", "'=1+1"],
    [" =HYPERLINK(1)", "' =HYPERLINK(1)"],
    ["\u00a0+1", "'\u00a0+1"],
    ["\n@x", `"'\n@x"`],
    ["-2+3", "'-2+3"],
    ["-2.50", "-2.50"],
    ['say "no"', '"say ""no"""'],
    ["a,b", '"a,b"'],
  ])("V08 no spreadsheet computes %j", async (cell, written) => {
    expect(await bytesOf([[cell, "x"]])).toBe(`a,b\r\n${written},x\r\n`);
  });

  test("goes on to the last row, page after page as it is read", async () => {
    const asked: (string | undefined)[] = [];
    const answer = await csvOf(["n"], "x.csv", async (cursor) => {
      asked.push(cursor);
      const page = Number(cursor ?? 0);
      return { rows: [[String(page)]], next: page < 299 ? String(page + 1) : null };
    });
    expect(asked).toEqual([undefined]);
    expect((await answer.text()).trimEnd().split("\r\n")).toHaveLength(301);
    expect(asked).toHaveLength(300);
  });

  test("is broken off where a page cannot be had: a part is no whole", async () => {
    const answer = await csvOf(["n"], "x.csv", async (cursor) => {
      if (cursor !== undefined) throw new Error("away");
      return { rows: [["1"]], next: "2" };
    });
    await expect(answer.text()).rejects.toThrow("the rest of a table could not be had");
    const refused = csvOf(["n"], "x.csv", () => Promise.reject(new Error("forbidden")));
    await expect(refused).rejects.toThrow("forbidden");
  });
});

test("the days of a filter are whole: the last one ends where the next one begins", () => {
  expect(momentsOf({ since: "2026-02-28", until: "2026-02-28" })).toEqual({
    since: "2026-02-28T00:00:00.000Z",
    until: "2026-03-01T00:00:00.000Z",
  });
  expect(momentsOf({ until: "2026-12-31" })).toEqual({ until: "2027-01-01T00:00:00.000Z" });
  expect(momentsOf({ until: "9999-12-31" })).toEqual({});
  // What is no day is for the API to refuse.
  expect(momentsOf({ since: "2026-02-30" }).since).toBe("2026-02-30");
});

test("a question says which of a mandate's rules put it, and none of them where it was another", () => {
  const step_up = [{ above_minor: 500 }, { first_purchase_at_merchant: true as const }, { above_minor: 900 }];
  const put = (because: Parameters<typeof triggersOf>[0]["because"], amount_minor: number) =>
    triggersOf({ because, amount_minor }, { step_up });
  expect(put("above_limit", 501)).toEqual([0]);
  expect(put("above_limit", 901)).toEqual([0, 2]);
  expect(put("above_limit", 500)).toEqual([]);
  expect(put("first_purchase_at_merchant", 901)).toEqual([1]);
  expect(put("tool_changed", 901)).toEqual([]);
  expect(put("authentication_required", 901)).toEqual([]);
});

describe("what is looked for by a few letters", () => {
  const agents = ["Filing reader", "Résumé screener", "Night filing clerk", "Profiling bench"];
  const found = (typed: string) => matching(typed, agents, (name) => name);

  test("stands the higher, the nearer to a beginning it is", () => {
    expect(found("filing")).toEqual(["Filing reader", "Night filing clerk", "Profiling bench"]);
  });

  test("is found without case and marks, and only when every word is there", () => {
    expect(found("RESUME scr")).toEqual(["Résumé screener"]);
    expect(found("filing screener")).toEqual([]);
    expect(found("  ")).toEqual(agents);
  });
});
