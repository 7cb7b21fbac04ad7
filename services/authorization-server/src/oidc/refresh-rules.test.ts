import { after, dayMs, type Instant, secondMs, toNumericDate } from "@remit/kernel";
import { testClock } from "@remit/testkit";
import { expect, test } from "vitest";
import { refreshLifeS } from "./refresh-rules.ts";

const now: Instant = testClock().now();
const startedS = (agoMs: number): number => toNumericDate(after(now, -agoMs));

test("C08 a refresh token lives a day after each use, and no use lets a family live longer than 30 days", () => {
  const lifeAfter = (agoMs: number): number => refreshLifeS(startedS(agoMs), toNumericDate(now));
  expect(lifeAfter(0)).toBe(dayMs / secondMs);
  expect(lifeAfter(29 * dayMs)).toBe(dayMs / secondMs);
  expect(lifeAfter(29 * dayMs + dayMs / 2)).toBe(dayMs / 2 / secondMs);
  expect(lifeAfter(30 * dayMs - secondMs)).toBe(1);
});
