import { createHash } from "node:crypto";
import { instantOf, newId, toRfc3339 } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { base64 } from "../encoding/index.ts";
import { generateJwk, sha256, signOffer } from "../node/index.ts";
import type { Offer } from "../offer/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import {
  encodeHeader,
  mandatePayload,
  mandateRequirement,
  mandateSettled,
  mandateTermsOf,
  parseMandatePayload,
  parsePaymentPayload,
  parsePaymentRequired,
  parseSettleResponse,
  receiptOfSettled,
  remitNetwork,
} from "./index.ts";

const origin = "https://shop.example";
const issuer = "https://as.example";
const offer: Offer = {
  id: "off-1",
  sku: "report-1",
  name: "A report",
  amount_minor: 1000,
  currency: "USD",
  merchant: newId("merchant"),
  merchant_origin: origin,
  expires_at: toRfc3339(instantOf(1_764_000_300_000)),
  livemode: false,
  resource: { method: "GET", url: `${origin}/report` },
};
const key = generateJwk("EdDSA", "shop-1");
const terms = { issuer, offer: signOffer(key, offer), merchantNonce: "n".repeat(48) };
const entry = mandateRequirement(sha256, terms);
const refusal = (work: () => unknown): ProblemCode | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};

describe("the mandate scheme", () => {
  test("the entry says what the offer says", () => {
    expect(entry).toEqual({
      scheme: "mandate",
      network: `remit:${createHash("sha256").update(issuer).digest("hex").slice(0, 32)}`,
      asset: "iso4217:USD",
      amount: "1000",
      payTo: offer.merchant,
      resource: `${origin}/report`,
      maxTimeoutSeconds: 300,
      extra: { issuer, offer: terms.offer, merchant_nonce: terms.merchantNonce },
    });
    // CAIP-2: a namespace of 3 to 8 characters and a reference of at most 32.
    expect(remitNetwork(sha256, issuer)).toMatch(/^[-a-z0-9]{3,8}:[-_a-zA-Z0-9]{1,32}$/);
    expect(mandateTermsOf(sha256, entry)).toEqual(terms);
  });

  test.each([
    ["amount", { amount: "1" }],
    ["currency", { asset: "iso4217:JPY" }],
    ["payee", { payTo: newId("merchant") }],
    ["network", { network: "remit:00000000000000000000000000000000" }],
    ["resource", { resource: `${origin}/other` }],
    ["scheme", { scheme: "exact" }],
    ["issuer", { extra: { ...entry.extra, issuer: "https://evil.example" } }],
  ])("O02 an entry whose %s contradicts its offer is refused", (_, change) =>
    expect(refusal(() => mandateTermsOf(sha256, { ...entry, ...change }))).toBe("credential_malformed"),
  );

  test("an offer without a resource is sold in no 402", () => {
    const { resource: _, ...unbound } = offer;
    expect(refusal(() => mandateRequirement(sha256, { ...terms, offer: signOffer(key, unbound) }))).toBe(
      "offer_malformed",
    );
  });

  test("a payload carries both halves or none", () => {
    const payment = { presentation: "p", accessToken: "t" };
    expect(parseMandatePayload(mandatePayload(payment))).toEqual(payment);
    for (const payload of [
      {},
      { presentation: "p" },
      { access_token: "t" },
      { presentation: 1, access_token: "t" },
    ])
      expect(refusal(() => parseMandatePayload(payload))).toBe("credential_malformed");
  });
});

describe("the headers", () => {
  const required = {
    x402Version: 2,
    error: "Pay.",
    resource: { url: `${origin}/report` },
    accepts: [entry],
  } as const;

  test("PAYMENT-REQUIRED keeps what it knows and passes over entries that it does not", () => {
    expect(parsePaymentRequired(encodeHeader(required))).toEqual(required);
    const mixed = { ...required, accepts: [{ scheme: "later" }, null, 7, entry] };
    expect(parsePaymentRequired(base64.encode(JSON.stringify(mixed))).accepts).toEqual([entry]);
  });

  test("PAYMENT-SIGNATURE comes back as it was sent", () => {
    const payment = { x402Version: 2, accepted: entry, payload: { presentation: "p" } } as const;
    expect(parsePaymentPayload(encodeHeader(payment))).toEqual(payment);
  });

  test("PAYMENT-RESPONSE carries the charge and its receipt", () => {
    const settled = mandateSettled({
      charge: "chg_1",
      network: entry.network,
      payer: "agt_1",
      amountMinor: 1000,
      receipt: "a.b.c",
    });
    const read = parseSettleResponse(encodeHeader(settled));
    expect(read).toEqual(settled);
    expect(receiptOfSettled(read)).toBe("a.b.c");
    expect(receiptOfSettled({ success: true, transaction: "chg_1", network: "n" })).toBeUndefined();
  });

  const json = JSON.stringify({ x402Version: 2, accepted: entry, payload: { é: "ÿÿÿ>>>???" } });
  test.each([
    ["nothing", ""],
    ["no base64", "%%%"],
    ["V05 base64url where base64 is due", Buffer.from(`${json}  `).toString("base64url")],
    ["V05 base64 without its padding", base64.encode(`${json} `).replace(/=+$/, "")],
    ["V05 two values joined by a comma", `${base64.encode(json)}, ${base64.encode(json)}`],
    ["V05 a folded value", `${base64.encode(json)}\r\n ${base64.encode(json)}`],
    ["V05 64 kB", base64.encode(`{"x":"${"y".repeat(65_536)}"}`)],
    ["no JSON", base64.encode("not json")],
    ["an array", base64.encode("[]")],
    ["another version", base64.encode(JSON.stringify({ x402Version: 1, accepted: entry, payload: {} }))],
    ["no accepted", base64.encode(JSON.stringify({ x402Version: 2, payload: {} }))],
    ["an amount that is a number", base64.encode(json.replace('"1000"', "1000"))],
    ["an amount that is negative", base64.encode(json.replace('"1000"', '"-1000"'))],
    ["an amount with an exponent", base64.encode(json.replace('"1000"', '"1e3"'))],
    ["a member twice", base64.encode(json.replace('{"x402Version":2', '{"x402Version":2,"x402Version":2'))],
    ["V06 a member named __proto__", base64.encode(json.replace("{", '{"__proto__":{"x402Version":2},'))],
  ])("%s is refused", (_, text) =>
    expect(refusal(() => parsePaymentPayload(text))).toBe("credential_malformed"),
  );
});
