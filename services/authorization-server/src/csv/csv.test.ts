import { expect, test } from "vitest";
import { csvOf } from "./csv.ts";

test.each([
  "=1+1",
  "+1",
  "-1",
  "@SUM(A1)",
  "\t=1+1",
  "\r=1+1",
  "\n=1+1",
  "  =1+1",
  '=HYPERLINK("http://evil.example","click")',
])("V08 a cell that begins as %j is text to every spreadsheet", (value) => {
  const [, line] = csvOf(["name"], [{ name: value }]).split(/(?<=^name)\r\n/);
  expect(line).toBe(`"'${value.replaceAll('"', '""')}"\r\n`);
});

test("V08 a cell cannot end its own, nor its line, and what is harmless is left as it is", () => {
  const rows = [{ name: 'a","=1+1', scopes: ["agents:read", "mail:read"], until: null }];
  expect(csvOf(["name", "scopes", "until"], rows)).toBe(
    'name,scopes,until\r\n"a"",""=1+1","agents:read mail:read",""\r\n',
  );
  expect(csvOf(["name"], [{ name: "a=b-c@d" }])).toBe('name\r\n"a=b-c@d"\r\n');
});
