import { after, minuteMs, newId, systemClock, toRfc3339 } from "@remit/kernel";
import { type Offer, publicJwkOf } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { signed, verified } from "./signed-offers.ts";

const now = systemClock.now();
const key = generateJwk("ES256", "offer-1");
const jwks = { keys: [publicJwkOf(key)] };
const offer: Offer = {
  id: newId("offer"),
  sku: "report",
  name: "A report",
  amount_minor: 1_200,
  currency: "EUR",
  merchant: newId("merchant"),
  merchant_origin: "https://shop.example",
  expires_at: toRfc3339(after(now, 5 * minuteMs)),
  livemode: false,
  line_items: [{ name: "A report", amount_minor: 1_000 }],
  tax_minor: 200,
};
const codeOf = (work: () => unknown): string => {
  try {
    work();
    return "nothing";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
};

describe("an offer signed and verified by hand", () => {
  test("is what was signed, with the merchant's JWKS or its one key", () => {
    expect(verified(signed(offer, key), jwks)).toEqual(offer);
    expect(verified(signed(offer, key), publicJwkOf(key))).toEqual(offer);
  });

  test("O12 whose price was swapped, or that another key signed, is refused", () => {
    const [head, , signature] = signed(offer, key).split(".");
    const swapped = Buffer.from(JSON.stringify({ ...offer, amount_minor: 1_300, tax_minor: 300 })).toString(
      "base64url",
    );
    expect(codeOf(() => verified(`${head}.${swapped}.${signature}`, jwks))).toBe("offer_signature_invalid");
    const other = generateJwk("ES256", "offer-1");
    expect(codeOf(() => verified(signed(offer, other), jwks))).toBe("offer_signature_invalid");
    expect(codeOf(() => verified(signed(offer, { ...key, kid: "offer-2" }), jwks))).toBe(
      "offer_keyid_unknown",
    );
  });

  test("O03 at another origin, or once it is over, is refused", () => {
    const jws = signed(offer, key);
    expect(codeOf(() => verified(jws, jwks, { origin: "https://evil.example" }))).toBe(
      "offer_merchant_mismatch",
    );
    expect(codeOf(() => verified(jws, jwks, { now: after(now, 6 * minuteMs) }))).toBe(
      "offer_signature_expired",
    );
  });

  test("is not signed where its parts are not its price, it is over, or the key is none", () => {
    expect(codeOf(() => signed({ ...offer, tax_minor: 100 }, key))).toBe("offer_malformed");
    expect(codeOf(() => signed({ ...offer, expires_at: toRfc3339(now) }, key, after(now, minuteMs)))).toBe(
      "offer_signature_expired",
    );
    expect(codeOf(() => signed(offer, publicJwkOf(key)))).toMatch(/no private JWK/);
    expect(codeOf(() => verified(signed(offer, key), { keys: [] }))).toMatch(/no key/);
  });
});
