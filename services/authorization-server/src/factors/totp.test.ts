import { after, instantOf, secondMs } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { base32, codeAt, keyUri, stepOfCode } from "./totp.ts";

const seed = (length: number): Buffer => Buffer.from("1234567890".repeat(7).slice(0, length), "ascii");

describe("RFC 6238 appendix B", () => {
  test.each([
    [59, "94287082", "46119246", "90693936"],
    [1111111109, "07081804", "68084774", "25091201"],
    [1111111111, "14050471", "67062674", "99943326"],
    [1234567890, "89005924", "91819424", "93441116"],
    [2000000000, "69279037", "90698825", "38618901"],
    [20000000000, "65353130", "77737706", "47863826"],
  ])("at %i s", (seconds, sha1, sha256, sha512) => {
    const step = Math.floor(seconds / 30);
    expect(codeAt(seed(20), step, { length: 8 })).toBe(sha1);
    expect(codeAt(seed(32), step, { hash: "sha256", length: 8 })).toBe(sha256);
    expect(codeAt(seed(64), step, { hash: "sha512", length: 8 })).toBe(sha512);
  });
});

describe("a code", () => {
  const now = instantOf(1_111_111_111 * secondMs);
  const code = codeAt(seed(20), Math.floor(1_111_111_111 / 30));
  test("is good a step early and a step late, and no further", () => {
    for (const steps of [-1, 0, 1])
      expect(stepOfCode(seed(20), code, after(now, steps * 30_000))).toBeDefined();
    for (const steps of [-2, 2])
      expect(stepOfCode(seed(20), code, after(now, steps * 30_000))).toBeUndefined();
  });

  test.each(["", "00000", `${code} `, `0${code}`, "abcdef"])("%s is none", (wrong) => {
    expect(stepOfCode(seed(20), wrong, now)).toBeUndefined();
  });
});

test("RFC 4648 §10, without padding", () => {
  const words = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map((word) => base32(Buffer.from(word)));
  expect(words).toEqual(["", "MY", "MZXQ", "MZXW6", "MZXW6YQ", "MZXW6YTB", "MZXW6YTBOI"]);
});

test("the address for the app names the account as it is", () => {
  const uri = new URL(keyUri(seed(20), { issuer: "Remit", account: "ada+1@example.com" }));
  expect(uri.pathname).toContain("Remit:ada%2B1%40example.com");
  expect(uri.searchParams.get("secret")).toBe("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
});
