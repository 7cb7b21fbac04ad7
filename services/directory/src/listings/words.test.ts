import { expect, test } from "vitest";
import { wordsIn, wordsOf } from "./words.ts";

test("words are found in whatever case, spelling and script", () => {
  expect(wordsIn("Résumé  SCREENER v2 (ＦＡＳＴ) 東京")).toEqual([
    "résumé",
    "screener",
    "v2",
    "fast",
    "東京",
  ]);
  expect(wordsIn("'; drop table x --")).toEqual(["drop", "table", "x"]);
  expect(wordsIn("!?%_")).toEqual([]);
});

test("a listing is found by its name and by each part of a capability, and by a capability as a whole", () => {
  expect(wordsOf({ name: "Read it", capabilities: ["resume:read", "resume:*"] })).toEqual([
    "read",
    "it",
    "=resume:read",
    "resume",
    "=resume:*",
  ]);
});
