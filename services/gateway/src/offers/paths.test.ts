import { Problem } from "@remit/protocol";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { moreSpecific, type Pattern, parsePattern, sameShape, targetOf } from "./paths.ts";

const refusals = [
  "/%2e%2e/report",
  "/%2E./report",
  "/a/../report",
  "/a/./report",
  "//report",
  "/a//report",
  "/report;x",
  "/report;jsessionid=1",
  "/report%3bx",
  "/a%2freport",
  "/a%2Freport",
  "/a%5creport",
  "/a\\report",
  "/%72eport",
  "/%252e%252e/report",
  "/report%00",
  "/report%0d%0a",
  "/report%7f",
  "/rep ort",
  "/repörт",
  "/report#x",
  "/report%",
  "/report%4",
  "/report%ff",
  "/a%c0%afb",
  "/a%ef%bc%8fb",
  "/%e2%80%a6/report",
  "/report%c2%85",
  "/report\t",
  "report",
  "*",
  "http://other.example/report",
  `/${"a".repeat(2048)}`,
  "/report?a=<b>",
  "/report?%zz",
  "/report?a\u0000",
];

describe("V12 one spelling of a path", () => {
  test.each(refusals)("V12 %j is refused, not repaired", (target) => {
    expect(() => targetOf(target)).toThrow(Problem);
  });

  test.each(["/", "/demo/report", "/a/", "/caf%C3%A9", "/a?b=c&d=%20", "/a?b?c", "/~user/x(1)"])(
    "%j has one reading",
    (target) => {
      const { path, query } = targetOf(target);
      expect(path + query).toBe(target);
    },
  );

  test("V12 what passes is what a URL parser leaves alone", () => {
    fc.assert(
      fc.property(fc.webPath(), (path) => {
        try {
          targetOf(path);
        } catch {
          return;
        }
        expect(new URL(path, "http://shop.example").pathname).toBe(path);
      }),
    );
  });
});

const pattern = (text: string): Pattern => {
  const parsed = parsePattern(text);
  if ("fault" in parsed) throw new Error(parsed.fault);
  return parsed;
};

describe("patterns", () => {
  test.each(["demo", "/a//b", "/a/:", "/a/*/b", "/a/b*", "/a/../b", "/a;b", "/a%2fb"])(
    "%s is no pattern",
    (text) => {
      expect(parsePattern(text)).toHaveProperty("fault");
    },
  );

  test.each([
    ["/a/b", "/a/:x"],
    ["/a/b", "/*"],
    ["/a/:x", "/a/*"],
    ["/a/b/*", "/a/*"],
    ["/a/:x", "/:y/b"],
    ["/a/:x/c", "/a/:x/*"],
  ])("V12 where both match, %s holds and not %s, in whatever order they stand", (a, b) => {
    expect(moreSpecific(pattern(a), pattern(b))).toBeLessThan(0);
    expect(moreSpecific(pattern(b), pattern(a))).toBeGreaterThan(0);
  });

  test.each([
    ["/a/b", "/a/b", true],
    ["/a/:x", "/a/:y", true],
    ["/a/:x", "/a/b", false],
    ["/a/*", "/a/:x", false],
    ["/a/*", "/a", false],
  ])("V12 %s and %s match the very same requests: %s", (a, b, expected) => {
    expect(sameShape(pattern(a), pattern(b))).toBe(expected);
    expect(sameShape(pattern(b), pattern(a))).toBe(expected);
  });
});
