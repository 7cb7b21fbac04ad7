import { testClock } from "@remit/testkit";
import { expect, test } from "vitest";
import { createKept } from "./kept.ts";

test("what says the same is signed once, also for many who ask at once, and again when it is old", async () => {
  const clock = testClock();
  const kept = createKept<number>({ clock, max: 10, ageMs: 1_000 });
  let signed = 0;
  const sign = async (): Promise<number> => ++signed;
  const answers = await Promise.all(Array.from({ length: 50 }, () => kept.get("card 1", sign)));
  expect([signed, new Set(answers).size]).toEqual([1, 1]);
  expect(await kept.get("card 2", sign)).toBe(2);
  clock.advance(999);
  expect(await kept.get("card 1", sign)).toBe(1);
  clock.advance(1);
  expect(await kept.get("card 1", sign)).toBe(3);
});

test("a stranger who asks for everything takes no more room than there is, and not of what is asked for", async () => {
  const kept = createKept<string>({ clock: testClock(), max: 3 });
  const made: string[] = [];
  const get = (key: string): Promise<string> =>
    kept.get(key, async () => {
      made.push(key);
      return key;
    });
  for (const key of ["a", "b", "c", "a", "d", "a", "b"]) await get(key);
  expect(made).toEqual(["a", "b", "c", "d", "b"]);
});

test("what could not be signed is tried again", async () => {
  const kept = createKept<string>({ clock: testClock(), max: 3 });
  await expect(kept.get("a", () => Promise.reject(new Error("the signer is away")))).rejects.toThrow();
  expect(await kept.get("a", async () => "signed")).toBe("signed");
});
