import { parse } from "node:querystring";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { readPlainForm } from "./plain-request.ts";

const names = new Set(["scope", "client_id", "grant_type"]);
const pieces = [
  "scope",
  "client_id",
  "more",
  "=",
  "&",
  "%",
  "%20",
  "%C3%A9",
  "%zz",
  "+",
  "a",
  "é",
  " ",
  "%00",
];

test("V04 a form that is read in front of the core reads as the core's parser reads it, or not at all", () => {
  let read = 0;
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom(...pieces), fc.constant("scope=a&client_id=b")), { maxLength: 8 }),
      (parts) => {
        const text = parts.join("");
        const form = readPlainForm(text, names);
        if (form === undefined) return;
        read += 1;
        expect(form).toEqual({ ...parse(text) });
      },
    ),
    { numRuns: 5_000 },
  );
  expect(read).toBeGreaterThan(100);
});

test.each([
  "",
  "scope",
  "scope=",
  "=a",
  "scope=a&",
  "&scope=a",
  "scope=a&&client_id=b",
  "scope=a&scope=b",
  "more=a",
  "%73cope=a",
  "scope=%",
  "scope=%zz",
  "scope=%ff",
  "scope=a b",
  "scope=é",
  "toString=a",
  "__proto__=a",
])("V04 the form %j is not plain, and is left to the core", (text) => {
  expect(readPlainForm(text, names)).toBeUndefined();
});

test("a plain form is read with its values decoded", () => {
  expect(readPlainForm("scope=a%20b+c&client_id=x%3Ay", names)).toEqual({ scope: "a b c", client_id: "x:y" });
});
