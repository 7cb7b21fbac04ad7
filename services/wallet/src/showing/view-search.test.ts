import { expect, test } from "vitest";
import { isOfView, viewIn } from "./index.ts";

test("a view is the filter of a list, its order and its columns, and not the page that one has leafed to", () => {
  expect(viewIn("?status=held&page=3&cursor=x&q=&sort=-amount")).toBe("status=held&sort=-amount");
  expect(viewIn("?delivery=dlv_1")).toBe("");
});

test("an address shows a view in whatever order its words stand, and no other", () => {
  const view = viewIn("?status=held&sort=-amount");
  expect(isOfView("?sort=-amount&status=held&page=2", view)).toBe(true);
  expect(isOfView("?sort=amount&status=held", view)).toBe(false);
  expect(isOfView("?status=held&sort=-amount&q=books", view)).toBe(false);
  expect(isOfView("", view)).toBe(false);
});
