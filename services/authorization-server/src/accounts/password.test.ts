import { describe, expect, test } from "vitest";
import { hashPassword, matchesPassword } from "./password.ts";

describe("a password", () => {
  test("is kept as argon2id and matches itself alone, however its letters were composed", async () => {
    const digest = await hashPassword("Caf\u00e9 au lait");
    expect(digest).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
    expect(await matchesPassword("Cafe\u0301 au lait", digest)).toBe(true);
    expect(await matchesPassword("cafe au lait", digest)).toBe(false);
    expect(await matchesPassword("", digest)).toBe(false);
  });

  test("A18 without an account nothing matches, not even the decoy", async () => {
    expect(await matchesPassword("a password that nobody has", undefined)).toBe(false);
  });

  test("a very long one is refused without work that grows with it", async () => {
    const digest = await hashPassword("x".repeat(300));
    expect(await matchesPassword("x".repeat(300), digest)).toBe(false);
  });
});
