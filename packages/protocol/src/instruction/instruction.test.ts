import { instantOf, newId, toNumericDate } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { publicJwkOf } from "../jose/index.ts";
import { generateJwk, sign, signJws, verifyInstruction } from "../node/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import { type InstructionOrder, makeInstruction } from "./index.ts";

const now = instantOf(1_764_000_000_000);
const key = generateJwk("ES256", "instruction-1");
const expected = {
  issuer: "https://as.example",
  audience: "https://billing.example",
  keys: [publicJwkOf(key)],
  now,
  livemode: false,
};
const order: InstructionOrder = {
  op: "hold",
  charge: newId("charge"),
  generation: 1,
  payer: newId("tenant"),
  payee: newId("tenant"),
  merchant: newId("merchant"),
  instrument: null,
  amount_minor: 1000,
  currency: "USD",
  livemode: false,
};
const make = (changes: object = {}) =>
  makeInstruction({
    order: { ...order, ...changes },
    issuer: expected.issuer,
    audience: expected.audience,
    jti: "j",
    now,
  });
const jws = sign(make(), key);

function refusal(changes: object = {}, text = jws): ProblemCode | undefined {
  try {
    verifyInstruction(text, { ...expected, ...changes });
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe("an instruction to move money", () => {
  test("billing reads exactly what the authorization server ordered", () => {
    const { iss, aud, iat, exp, jti, ...read } = verifyInstruction(jws, expected);
    expect(read).toEqual(order);
    expect({ iss, aud, iat, exp, jti }).toEqual({
      iss: expected.issuer,
      aud: expected.audience,
      iat: toNumericDate(now),
      exp: toNumericDate(now) + 120,
      jti: "j",
    });
  });

  test("it counts for 120 s and not longer, whatever it says", () => {
    expect(refusal({ now: instantOf(now + 119_999) })).toBeUndefined();
    expect(refusal({ now: instantOf(now + 120_000) })).toBe("instruction_invalid");
    expect(refusal({ now: instantOf(now - 6_000) })).toBe("instruction_invalid");
    const long = signJws(
      key,
      { typ: "remit-instruction+jwt" },
      { ...make().payload, exp: toNumericDate(now) + 121 },
    );
    expect(refusal({}, long)).toBe("instruction_invalid");
  });

  test("another issuer, audience, key or typ is refused", () => {
    expect(refusal({ issuer: "https://evil.example" })).toBe("instruction_invalid");
    expect(refusal({ audience: "https://gateway.example" })).toBe("instruction_invalid");
    expect(refusal({ keys: [{ ...publicJwkOf(generateJwk("ES256")), kid: "instruction-1" }] })).toBe(
      "instruction_invalid",
    );
    expect(refusal({ keys: [] })).toBe("instruction_invalid");
    expect(refusal({}, signJws(key, { typ: "at+jwt" }, make().payload))).toBe("instruction_invalid");
    expect(refusal({ livemode: true })).toBe("livemode_mismatch");
  });

  test.each([
    { amount_minor: 0 },
    { amount_minor: 1.5 },
    { amount_minor: 2 ** 53 },
    { amount_minor: "1000" },
    { currency: "usd" },
    { op: "transfer" },
    { op: "refund" },
    { refund: newId("refund") },
    { transaction: `0x${"ab".repeat(32)}` },
    { op: "refund", refund: newId("refund"), transaction: "0xab" },
    { op: "refund", refund: newId("refund"), transaction: `0x${"AB".repeat(32)}` },
    { generation: 0 },
    { payee: "acct_1" },
    { instrument: "pm_1" },
    { charge: newId("payment") },
  ])("V01 an order like %j is refused", (change) => {
    const text = signJws(key, { typ: "remit-instruction+jwt" }, { ...make().payload, ...change });
    expect(refusal({}, text)).toBe("instruction_invalid");
  });

  test("a refund names itself", () => {
    const refund = newId("refund");
    const text = sign(make({ op: "refund", refund }), key);
    expect(verifyInstruction(text, expected).refund).toBe(refund);
  });
});
