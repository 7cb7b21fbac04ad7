import { instantOf, newId, toNumericDate, toRfc3339 } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { publicJwkOf } from "../jose/index.ts";
import { generateJwk, sha256, sha256b64url, sign, signJws, verifyReceipt } from "../node/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import * as web from "../web/index.ts";
import { makeReceipt, parseEvidenceKeys, type ReceiptFacts } from "./index.ts";

const now = instantOf(1_764_000_000_000);
const issuer = "https://as.example";
const key = generateJwk("ES256", "receipt-1");
const facts: ReceiptFacts = {
  jti: newId("receipt"),
  charge: newId("charge"),
  merchant: { id: newId("merchant"), origin: "https://shop.example" },
  offer_digest: sha256b64url("offer"),
  mandate_hash: sha256b64url("mandate"),
  presentation_hash: sha256b64url("presentation"),
  amount_minor: 1000,
  currency: "USD",
  rail: "card",
  payment_reference: "pi_1",
  held_at: toNumericDate(now) - 3,
  captured_at: toNumericDate(now) - 1,
  livemode: false,
  log: `${issuer}/logs/receipts`,
  asserted_by_merchant: { response_digest: sha256b64url("response") },
};
const published = (changes: object = {}) =>
  parseEvidenceKeys({
    issuer,
    keys: [
      {
        ...publicJwkOf(key),
        purpose: "receipt",
        state: "current",
        not_before: toRfc3339(instantOf(now - 1000)),
        ...changes,
      },
    ],
  }).keys;
const unsigned = makeReceipt({ facts, issuer, now, sha256 });
const jws = sign(unsigned, key);

function refusal(changes: object = {}, text = jws): ProblemCode | undefined {
  try {
    verifyReceipt(text, { issuer, keys: published(), now, ...changes });
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
}

describe("a receipt", () => {
  test("it verifies offline, here and in a browser", async () => {
    const receipt = verifyReceipt(jws, { issuer, keys: published() });
    expect(receipt).toMatchObject({ ...facts, iss: issuer, iat: toNumericDate(now) });
    await expect(web.verifyReceipt(jws, { issuer, keys: published() })).resolves.toEqual(receipt);
  });

  test("it fails once any byte is changed", () => {
    for (let at = 0; at < jws.length; at++) {
      const changed = jws.slice(0, at) + (jws[at] === "A" ? "B" : "A") + jws.slice(at + 1);
      expect(refusal({}, changed), `byte ${at}`).toBe("receipt_invalid");
    }
  });

  test("it is of one issuer, and its key was in force when it was made", () => {
    expect(refusal({ issuer: "https://other.example" })).toBe("receipt_invalid");
    expect(refusal({ keys: published({ not_before: toRfc3339(instantOf(now + 1)) }) })).toBe(
      "receipt_invalid",
    );
    expect(refusal({ keys: published({ not_after: toRfc3339(instantOf(now - 1)) }) })).toBe(
      "receipt_invalid",
    );
    expect(refusal({ keys: published({ not_after: toRfc3339(now) }) })).toBeUndefined();
  });

  test("a key for mandates signs no receipt", () => {
    expect(refusal({ keys: published({ purpose: "mandate" }) })).toBe("receipt_invalid");
  });

  test("another typ, a wrong leaf, times out of order and the future are refused", () => {
    const signed = (change: object, typ = "remit-receipt+jwt") =>
      signJws(key, { typ }, { ...unsigned.payload, ...change });
    expect(refusal({}, signed({}))).toBeUndefined();
    expect(refusal({}, signed({}, "remit-offer+jwt"))).toBe("receipt_invalid");
    expect(refusal({}, signed({ amount_minor: 999 }))).toBe("receipt_invalid");
    expect(refusal({}, signed({ leaf_digest: sha256b64url("x") }))).toBe("receipt_invalid");
    const early = makeReceipt({ facts: { ...facts, held_at: facts.captured_at + 1 }, issuer, now, sha256 });
    expect(refusal({}, sign(early, key))).toBe("receipt_invalid");
    expect(refusal({ now: instantOf(now - 61_000) })).toBe("receipt_invalid");
  });

  test.each([
    { amount_minor: -1 },
    { charge: "chg_1" },
    { livemode: "true" },
    { payment_reference: 7 },
    { merchant: "mrc" },
    { committed: false },
    { asserted_by_merchant: { response_digest: "short" } },
  ])("claims like %j are refused", (change) => {
    const text = signJws(key, { typ: "remit-receipt+jwt" }, { ...unsigned.payload, ...change });
    expect(refusal({}, text)).toBe("receipt_invalid");
  });
});
