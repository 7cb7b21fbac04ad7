import { generateKeyPairSync, sign, verify } from "node:crypto";
import { InvariantViolation } from "@remit/kernel";
import fc from "fast-check";
import { expect, test } from "vitest";
import { derOf, rawOf } from "./ecdsa-der.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const inRaw = { dsaEncoding: "ieee-p1363" } as const;
const data = Buffer.from("what is signed");

test("a signature in either spelling is the same signature", () => {
  for (let i = 0; i < 300; i++) {
    const der = sign("sha256", data, privateKey);
    const raw = rawOf(der);
    expect(verify("sha256", data, { key: publicKey, ...inRaw }, raw)).toBe(true);
    expect(Buffer.from(derOf(raw))).toEqual(der);
  }
});

test("numbers of every length come back as they were", () => {
  // Leading zeros are where the two spellings differ, so many numbers have some.
  const number = fc
    .tuple(fc.integer({ min: 0, max: 32 }), fc.uint8Array({ minLength: 32, maxLength: 32 }))
    .map(([zeros, bytes]) => bytes.fill(0, 0, zeros));
  fc.assert(
    fc.property(number, number, (r, s) => {
      const raw = new Uint8Array([...r, ...s]);
      expect(rawOf(derOf(raw))).toEqual(raw);
    }),
  );
});

test("r or s of zero verifies nothing", () => {
  const raw = rawOf(sign("sha256", data, privateKey));
  for (const half of [0, 32])
    expect(verify("sha256", data, publicKey, derOf(raw.slice().fill(0, half, half + 32)))).toBe(false);
});

test("what is no signature over P-256 is not spelled at all", () => {
  expect(() => derOf(new Uint8Array(63))).toThrow(InvariantViolation);
  expect(() => rawOf(new Uint8Array([0x30, 3, 2, 1, 1]))).toThrow(InvariantViolation);
  expect(() => rawOf(new Uint8Array(0))).toThrow(InvariantViolation);
});
