import { instantOf, newId, toRfc3339 } from "@remit/kernel";
import { httpbis } from "http-message-signatures";
import { describe, expect, test } from "vitest";
import { makeCatalogue } from "../catalogue/index.ts";
import type { HeaderPair } from "../http-signature/index.ts";
import { publicJwkOf } from "../jose/index.ts";
import { generateJwk, holds, signResponse, verifyCatalogue, verifyOfferResponse } from "../node/index.ts";
import { Problem, type ProblemCode } from "../problems.ts";
import * as web from "../web/index.ts";
import type { Offer, SignedResponse } from "./index.ts";

const now = instantOf(1_764_000_000_000);
const origin = "https://shop.example";
const targetUri = `${origin}/products/report-1`;
const key = generateJwk("ES256", "shop-1");
const keys = [publicJwkOf(key)];
const offer: Offer = {
  id: "off-1",
  sku: "report-1",
  name: "A report",
  amount_minor: 1000,
  currency: "USD",
  merchant: newId("merchant"),
  merchant_origin: origin,
  expires_at: toRfc3339(instantOf(now + 300_000)),
  livemode: false,
};
const body = new TextEncoder().encode(JSON.stringify(offer));
const signed = (changes: object = {}): SignedResponse => ({
  request: { method: "GET", targetUri },
  status: 200,
  headers: Object.entries(signResponse(key, { targetUri, body, now })),
  body,
  ...changes,
});
const refusal = (work: () => unknown): ProblemCode | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error.code;
    throw error;
  }
};
const verifying = (response: SignedResponse, changes: object = {}) =>
  refusal(() => verifyOfferResponse(response, { keys, now, ...changes }));
const later = (ms: number) => ({ now: instantOf(now + ms) });
const withHeader = (name: string, change: (value: string) => string): SignedResponse => {
  const response = signed();
  const headers = response.headers.map(
    ([header, value]): HeaderPair => [header, header === name ? change(value) : value],
  );
  return { ...response, headers };
};

describe("an offer as a signed response", () => {
  test("it verifies here and in a browser, and says what was signed", async () => {
    const { offer: read, signature } = verifyOfferResponse(signed(), { keys, now, origin });
    expect(read).toEqual(offer);
    expect(signature).toMatchObject({ keyid: "shop-1", alg: "ecdsa-p256-sha256", created: now });
    const headers = Object.entries(await web.signResponse(key, { targetUri, body, now }));
    await expect(web.verifyOfferResponse({ ...signed(), headers }, { keys, now })).resolves.toMatchObject({
      offer,
    });
  });

  test("the public library accepts it too", async () => {
    const { headers } = signed();
    const verified = await httpbis.verifyMessage(
      {
        tolerance: Number.MAX_SAFE_INTEGER,
        notAfter: new Date(now),
        keyLookup: async () => ({
          id: "shop-1",
          algs: ["ecdsa-p256-sha256"],
          verify: async (data: Buffer, signature: Buffer) =>
            holds({ alg: "ES256", key, data, signature, refuse: "offer_signature_invalid" }),
        }),
      },
      { status: 200, headers: Object.fromEntries(headers) },
      { method: "GET", url: targetUri, headers: {} },
    );
    expect(verified).toBe(true);
  });

  test("O02 an altered body is refused, with or without its digest", () => {
    const altered = new TextEncoder().encode(JSON.stringify({ ...offer, amount_minor: 1 }));
    expect(verifying(signed({ body: altered }))).toBe("offer_body_digest_mismatch");
    const forged = Object.entries(signResponse(key, { targetUri, body: altered, now }));
    const digest = forged.find(([name]) => name === "Content-Digest")?.[1] ?? "";
    expect(verifying({ ...withHeader("Content-Digest", () => digest), body: altered })).toBe(
      "offer_signature_invalid",
    );
  });

  test("O03 an answer to another request, or with another status, is refused", () => {
    const request = (method: string, uri: string) => signed({ request: { method, targetUri: uri } });
    expect(verifying(request("POST", targetUri))).toBe("offer_signature_invalid");
    expect(verifying(request("GET", `${targetUri}?x`))).toBe("offer_signature_invalid");
    expect(verifying(request("GET", "https://evil.example/products/report-1"))).toBe(
      "offer_target_uri_mismatch",
    );
    expect(verifying(signed({ status: 201 }))).toBe("offer_signature_invalid");
  });

  test("O04 the signature counts from a minute before it was made until it expires", () => {
    expect(verifying(signed(), later(299_999))).toBeUndefined();
    expect(verifying(signed(), later(300_000))).toBe("offer_signature_expired");
    expect(verifying(signed(), later(301_000))).toBe("offer_signature_expired");
    expect(verifying(signed(), later(-59_999))).toBeUndefined();
    expect(verifying(signed(), later(-60_000))).toBe("offer_not_yet_valid");
  });

  test("O04 a signature for more than 300 s is refused", () => {
    const headers = Object.entries(signResponse(key, { targetUri, body, now, lifetimeS: 301 }));
    expect(verifying(signed({ headers }))).toBe("offer_malformed");
  });

  test.each([
    ["hmac-sha256", "offer_alg_rejected"],
    ["rsa-pss-sha512", "offer_alg_rejected"],
    ["ed25519", "offer_alg_rejected"],
    ["none", "offer_alg_rejected"],
  ])("the algorithm %s is refused for a P-256 key", (alg, code) => {
    const response = withHeader("Signature-Input", (value) => value.replace("ecdsa-p256-sha256", alg));
    expect(verifying(response)).toBe(code);
  });

  test("an unknown key, a missing nonce and missing components are refused", () => {
    const other = { keys: [publicJwkOf(generateJwk("ES256", "other"))] };
    expect(verifying(signed(), other)).toBe("offer_keyid_unknown");
    const changed = (from: string | RegExp, to: string) =>
      verifying(withHeader("Signature-Input", (value) => value.replace(from, to)));
    expect(changed(/;nonce="[^"]*"/, "")).toBe("offer_signature_invalid");
    expect(changed('"@target-uri";req ', "")).toBe("offer_signature_invalid");
    expect(changed('"@method";req', '"@method"')).toBe("offer_signature_invalid");
    expect(changed(/;expires=\d+/, "")).toBe("offer_signature_invalid");
    expect(verifying(signed({ headers: [] }))).toBe("offer_signature_invalid");
  });
});

describe("a catalogue", () => {
  const catalogueUri = `${origin}/.well-known/oid4ac-catalog`;
  const facts = { merchant: offer.merchant, merchant_origin: origin, name: "Shop", livemode: false };
  const served = (offers: readonly Offer[], lifetimeS = 600): SignedResponse => {
    const bytes = new TextEncoder().encode(JSON.stringify(makeCatalogue(facts, offers)));
    const headers = Object.entries(
      signResponse(key, { targetUri: catalogueUri, body: bytes, now, lifetimeS }),
    );
    return { request: { method: "GET", targetUri: catalogueUri }, status: 200, headers, body: bytes };
  };
  const reading = (response: SignedResponse, changes: object = {}) =>
    refusal(() => verifyCatalogue(response, { keys, now, ...changes }));

  test("its offers are read, for up to 600 s", () => {
    expect(verifyCatalogue(served([offer]), { keys, now }).offers).toEqual([offer]);
    expect(reading(served([offer], 601))).toBe("offer_malformed");
    expect(reading(served([]), later(600_000))).toBe("offer_signature_expired");
  });

  test("O03 one offer of another merchant refuses the whole", () => {
    expect(reading(served([offer, { ...offer, merchant: newId("merchant") }]))).toBe(
      "offer_merchant_mismatch",
    );
    expect(reading(served([{ ...offer, merchant_origin: "https://evil.example" }]))).toBe(
      "offer_merchant_mismatch",
    );
    expect(reading(served([offer]), { origin: "https://other.example" })).toBe("offer_merchant_mismatch");
    expect(reading(served([]), { merchant: newId("merchant") })).toBe("offer_merchant_mismatch");
  });
});
