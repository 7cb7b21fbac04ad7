import { expect, test } from "vitest";
import { createHealthPages } from "./health-pages.ts";

const [origin, page] = ["http://a.test", "/health"];
const said = (...words: boolean[]) => {
  const pages = createHealthPages();
  for (const isWell of words) pages.said(origin, page, { isWell, everyMs: 3000 });
  return () => pages.check(origin, page);
};

test("a page that was never asked, or has said no once, keeps nobody away", () => {
  expect(said()).not.toThrow();
  expect(said(false)).not.toThrow();
  expect(said(false, true, false)).not.toThrow();
});

test("two times no keeps everybody away until it says yes, for as long as it is not asked again", () => {
  expect(said(false, false)).toThrow(
    expect.objectContaining({ code: "upstream_unavailable", headers: { "Retry-After": "3" } }),
  );
  expect(said(false, false, false, true)).not.toThrow();
});

test("a page speaks for itself alone", () => {
  const pages = createHealthPages();
  for (let i = 0; i < 3; i++) pages.said(origin, page, { isWell: false, everyMs: 1000 });
  expect(() => pages.check(origin, "/other")).not.toThrow();
  expect(() => pages.check("http://b.test", page)).not.toThrow();
});
