import { expect, test } from "vitest";
import { importBytesMax, rowsOf } from "./import.ts";

test.each([
  ["lines", "1\n".repeat(importBytesMax / 2)],
  ["one line too many", "{}\n".repeat(1_001)],
  ["empty lines", "\n".repeat(importBytesMax)],
  ["an array", `[${"1,".repeat(importBytesMax / 2 - 2)}1]`],
  ["an array of a row of much", `[[${"{},".repeat(100_000)}{}]]`],
  ["a line of much", `[${"{},".repeat(100_000)}{}]`.padStart(1_000_000)],
])("V01 %s: more rows than may be are refused before one is parsed", (_, text) => {
  let parsed = 0;
  const read = (): undefined => void (parsed += 1);
  expect(() => rowsOf(text, read)).toThrow(expect.objectContaining({ detail: "At most 1000 rows." }));
  expect(parsed).toBe(0);
});

test("a thousand rows are read, as lines with empty ones between and as an array", () => {
  const row = { name: "One, two, and three", email: "a@example.com" };
  const rows = Array.from({ length: 1_000 }, () => row);
  expect(rowsOf(rows.map((one) => `${JSON.stringify(one)}\r\n\r\n`).join(""))).toEqual(rows);
  expect(rowsOf(JSON.stringify(rows))).toEqual(rows);
});
