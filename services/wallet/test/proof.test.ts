import { instantOf, newId, toNumericDate, toRfc3339 } from "@remit/kernel";
import { makeReceipt, publicJwkOf } from "@remit/protocol";
import { generateJwk, sha256, sha256b64url, sign } from "@remit/protocol/node";
import { expect, test } from "vitest";
import { checkReceipt, proofSteps } from "../src/proof/index.ts";

const now = instantOf(1_764_000_000_000);
const issuer = "https://as.example";
const key = generateJwk("ES256", "receipt-1");
const charge = { id: newId("charge"), amountMinor: 1000, currency: "USD", origin: "https://shop.example" };
const receipt = sign(
  makeReceipt({
    facts: {
      jti: newId("receipt"),
      charge: charge.id,
      merchant: { id: newId("merchant"), origin: charge.origin },
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
    },
    issuer,
    now,
    sha256,
  }),
  key,
);
const published = (more: object = {}): Uint8Array =>
  new TextEncoder().encode(
    JSON.stringify({
      issuer,
      keys: [
        {
          ...publicJwkOf(key),
          purpose: "receipt",
          not_before: toRfc3339(instantOf(now - 1000)),
          not_after: null,
        },
      ],
      ...more,
    }),
  );

/** The steps that hold, in their order; a step that fails is the last, with a mark. */
async function stepsOf(
  changes: Partial<Parameters<typeof checkReceipt>[0]>,
  keys = published(),
): Promise<string[]> {
  const said: string[] = [];
  for await (const { step, holds } of checkReceipt({ receipt, issuer, charge, nowMs: now, ...changes }, keys))
    said.push(holds ? step : `${step} fails`);
  return said;
}

test("a receipt that holds passes every step that the page shows", async () => {
  expect(await stepsOf({})).toEqual(proofSteps);
});

test("whatever is changed in a receipt, no check of it in the browser comes to its end", async () => {
  for (let at = 0; at < receipt.length; at += 7) {
    const changed = receipt.slice(0, at) + (receipt[at] === "A" ? "B" : "A") + receipt.slice(at + 1);
    expect((await stepsOf({ receipt: changed })).at(-1), `byte ${at}`).toMatch(/ fails$/);
  }
});

test("a key of another issuer, no key, another purchase and another amount each stop at their step", async () => {
  expect(await stepsOf({}, published({ issuer: "https://other.example" }))).toEqual([
    "read",
    "leaf",
    "key fails",
  ]);
  expect(await stepsOf({}, published({ keys: [] }))).toEqual(["read", "leaf", "key fails"]);
  expect((await stepsOf({ charge: { ...charge, id: newId("charge") } })).at(-1)).toBe("charge fails");
  expect((await stepsOf({ charge: { ...charge, amountMinor: 999 } })).at(-1)).toBe("charge fails");
});
