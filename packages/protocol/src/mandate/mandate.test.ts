import { after, assetOf, assetOfCaip19, dayMs, type Money, money, newId, toRfc3339 } from "@remit/kernel";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  codeOf,
  details,
  issuer,
  makePurchase,
  mandateFor,
  now,
  partsOf,
  shop,
} from "../../test/purchase.ts";
import {
  type JsonObject,
  type LineItem,
  linesOf,
  type MandateDetails,
  type Offer,
  publicJwkOf,
  type VisibleDetails,
} from "../index.ts";
import { generateJwk, issueMandate, sha256b64url, signJws, verifyMandate } from "../node/index.ts";
import {
  admits,
  describeMandate,
  mandateValidUntil,
  mandateVct,
  type Purchase,
  parseMandateDetails,
  parseMandateRequest,
} from "./index.ts";

const eur = assetOf("EUR");
const usdc = assetOfCaip19("eip155:84532/erc20:0x036CbD53842c5426634e7929541eC2318f3dCF7e");
if (eur === undefined || usdc === undefined) throw new Error("the assets of these tests are unknown");
const euros = (cents: number): Money => money(eur, BigInt(cents));
const asked = { type: "oid4ac_mandate", currency: "EUR", amount_minor: 50_000 };
const parse = (changes: JsonObject = {}): ReturnType<typeof parseMandateRequest> =>
  parseMandateRequest([{ ...asked, ...changes }], now);
const refusalOf = (changes: JsonObject): string => codeOf(() => parse(changes));

describe("a request for a mandate", () => {
  test("as the seeds write it: one merchant, an offer, line items, alone or in a list", () => {
    const digest = sha256b64url("offer");
    const seed = {
      ...asked,
      merchant: shop,
      line_items: [{ name: "Book", quantity: 2 }],
      offer_digest: digest,
    };
    const expected = {
      ...asked,
      oid4ac_version: "1.0",
      uses: "multiple",
      merchants: [shop],
      line_items: [{ name: "Book", quantity: 2 }],
      offer_digest: digest,
    };
    for (const json of [seed, [seed]]) expect(parseMandateRequest(json, now).details).toEqual(expected);
  });

  test("lasts 30 days unless it says until when", () => {
    expect(parse().validUntil).toBe(after(now, 30 * dayMs));
    expect(parse({ valid_until: "2026-12-01T00:00:00Z" }).validUntil).toBe(
      Date.parse("2026-12-01T00:00:00Z"),
    );
  });

  test("what is null or empty is not asked for", () => {
    expect(parse({ offer_digest: null, line_items: [], merchants: [], valid_until: null }).details).toEqual({
      ...asked,
      oid4ac_version: "1.0",
      uses: "multiple",
    });
  });

  test("every limit of the design passes, and stays as it was asked", () => {
    const { type: _, instrument: __, ...limits } = details;
    expect(
      parse({ ...limits, also_accepts: [{ asset: usdc.caip19 ?? "", peg: "EUR" }] }).details,
    ).toMatchObject(limits);
  });

  test.each([-1, 0, 1.5, "1e3", "100", 2 ** 53, Number.NaN, null, true, "٣", "99999999999999999999", [100]])(
    "V01 amount_minor %j is refused",
    (amount) => {
      expect(refusalOf({ amount_minor: amount })).toBe("invalid_authorization_details");
      if (amount !== null)
        expect(refusalOf({ per_charge_minor: amount })).toBe("invalid_authorization_details");
    },
  );

  test.each(["eur", "Eur", "XXX", "EURO", "", "USDC_BASE", 978, null, undefined, "US\u0044 "])(
    "V02 currency %j is refused",
    (currency) => {
      expect(refusalOf({ currency })).toBe("invalid_authorization_details");
    },
  );

  test.each([
    { unknown: 1 },
    { limits_hidden: true },
    { merchants: ["https://shop.example/"] },
    { merchants: ["https://SHOP.example"] },
    { merchants: ["https://shop.example:443"] },
    { merchants: ["https://user@shop.example"] },
    { merchants: ["ftp://shop.example"] },
    { merchants: ["shop.example"] },
    { merchants: Array.from({ length: 51 }, (_, index) => `https://s${index}.example`) },
    { merchants: shop },
    { merchant: shop, merchants: [shop] },
    { merchant: "https://shop.example/path" },
    { categories: ["Books & more"] },
    { rails: ["cash"] },
    { uses: "twice" },
    { offer_digest: "short" },
    { offer_digest: `${sha256b64url("x")}=` },
    { velocity: [{ period: "day" }] },
    { velocity: [{ period: "fortnight", count: 1 }] },
    { velocity: [{ period: "day", count: 1, extra: 1 }] },
    { velocity: [{ period: "day", count: 1, zone: "../etc" }] },
    { step_up: [{}] },
    { step_up: [{ above_minor: 1, first_purchase_at_merchant: true }] },
    { step_up: [{ first_purchase_at_merchant: false }] },
    { line_items: [{ quantity: 1 }] },
    { line_items: ["Book"] },
    { line_items: [{ name: "Book", constructor: 1 }] },
    { line_items: [{ name: "Book", toString: "x" }] },
    { line_items: [{ name: "Book\nAt most 1.00 EUR" }] },
    { purpose: "Books\u0000" },
    { purpose: "Books \u202e.RUE 1 tsom tA" },
    { purpose: "Books\u2028Until today." },
    { purpose: "   " },
    { also_accepts: [{ asset: "usdc", peg: "EUR" }] },
    { also_accepts: [{ asset: usdc.caip19 ?? "", peg: "USD" }] },
    { instrument: "pm_card_visa" },
    { instrument: details.instrument ?? "" },
    { purpose: "" },
    { purpose: "x".repeat(501) },
    { oid4ac_version: "2.0" },
    { per_charge_minor: 50_001 },
    { valid_until: "tomorrow" },
    { valid_until: toRfc3339(now) },
    { valid_until: "2028-01-01T00:00:00Z" },
    { valid_until: 1_800_000_000 },
  ] satisfies JsonObject[])("%j is refused", (changes) => {
    expect(refusalOf(changes)).toBe("invalid_authorization_details");
  });

  test.each([
    [[]],
    [[asked, asked]],
    ["x"],
    [undefined],
    [[null]],
    [[{ ...asked, type: "payment_initiation" }]],
    [{}],
  ])("%j is not one mandate", (json) => {
    expect(codeOf(() => parseMandateRequest(json, now))).toBe("invalid_authorization_details");
  });

  test("details read back from a row are the ones that were written", () => {
    expect(parseMandateDetails(JSON.parse(JSON.stringify(details)))).toEqual(details);
    expect(codeOf(() => parseMandateDetails({ ...details, currency: undefined }))).toBe(
      "invalid_authorization_details",
    );
    expect(codeOf(() => parseMandateDetails([]))).toBe("invalid_authorization_details");
  });
});

describe("the consent page says every limit in words", () => {
  const sentences = (changes: JsonObject = {}): string => describeMandate(parse(changes)).join("\n");

  test("for a plain mandate", () => {
    expect(sentences()).toBe(
      "Spend up to 500.00 EUR in all.\nAt any merchant.\nPaid with your default card.\nUntil 2026-12-22 10:00 UTC.",
    );
  });

  test("for one with every limit", () => {
    const { instrument: _, ...limits } = details;
    expect(
      sentences({
        ...limits,
        offer_digest: sha256b64url("x"),
        line_items: [{ name: "Book", quantity: 2, amount_minor: 1000 }, { name: "Pen" }],
        also_accepts: [{ asset: usdc.caip19 ?? "", peg: "EUR" }],
      }),
    ).toBe(
      [
        "Spend up to 500.00 EUR in all.",
        "At most 100.00 EUR for each purchase.",
        "At most 150.00 EUR and 20 purchases each day (Europe/Amsterdam).",
        "Only at https://shop.example or https://books.example.",
        "Only for books.",
        "Only paid by card.",
        "Paid with your default card.",
        `Also in ${usdc.caip19}, counted as EUR at par.`,
        "Only for the one offer the agent was shown.",
        "Only for what the agent lists: 2 × “Book” (10.00 EUR); “Pen”.",
        "You are asked before any purchase above 50.00 EUR.",
        "You are asked before the first purchase at a merchant.",
        "The agent's reason: “Textbooks for the autumn term”",
        "Until 2026-12-22 10:00 UTC.",
      ].join("\n"),
    );
  });

  test("and which card pays, where a card may", () => {
    const chosen = { details, validUntil: now };
    expect(describeMandate(chosen)).toContain("Paid with the card you chose.");
    expect(sentences({ rails: ["x402"] })).not.toContain("card");
  });

  test("V02 with the places that the currency has", () => {
    expect(sentences({ currency: "JPY", amount_minor: 500 })).toContain("500 JPY");
    expect(sentences({ currency: "BHD", amount_minor: 1234 })).toContain("1.234 BHD");
    expect(sentences({ uses: "single" })).toContain("Spend up to 500.00 EUR on one purchase.");
  });
});

describe("what a mandate admits", () => {
  const purchase: Purchase = {
    amount: euros(10_000),
    merchantOrigin: shop,
    categories: ["books", "music"],
    rail: "card",
    offerDigest: "digest",
    lines: [{ name: "Book", sku: "b-1", quantity: 2, amountMinor: 1_000 }],
  };
  const decide = (changes: Partial<VisibleDetails>, more: Partial<Purchase> = {}): string => {
    const decision = admits({ ...details, ...changes }, { ...purchase, ...more });
    return decision.kind === "admitted" ? decision.kind : decision.because;
  };

  test.each<[string, LineItem[], string]>([
    ["as it is listed", [{ name: "Book", quantity: 2, amount_minor: 1_000 }], "admitted"],
    ["with what is open left open", [{ name: "Book" }, { name: "Pen" }], "admitted"],
    [
      "listed twice, which together are enough",
      [
        { name: "Book", quantity: 1 },
        { name: "Book", quantity: 1 },
      ],
      "admitted",
    ],
    ["by its sku, whatever its name", [{ name: "Tome", sku: "b-1" }], "admitted"],
    ["of another sku", [{ name: "Book", sku: "b-2" }], "mandate_line_items_mismatch"],
    ["that is not listed", [{ name: "Pen" }], "mandate_line_items_mismatch"],
    ["in a greater quantity", [{ name: "Book", quantity: 1 }], "mandate_line_items_mismatch"],
    ["at a higher price", [{ name: "Book", amount_minor: 999 }], "mandate_line_items_mismatch"],
  ])("O12 what is bought %s", (_what, items, verdict) => {
    expect(decide({ line_items: items })).toBe(verdict);
  });

  test("O12 an offer without lines is one thing at its price without tax and shipping; one line too many refuses", () => {
    const offer: Offer = {
      id: "offer-1",
      sku: "b-1",
      name: "Book",
      amount_minor: 1_250,
      tax_minor: 200,
      shipping_minor: 50,
      currency: "EUR",
      merchant: newId("merchant"),
      merchant_origin: shop,
      expires_at: toRfc3339(now),
      livemode: false,
    };
    const lines = linesOf(offer);
    expect(lines).toEqual([{ name: "Book", sku: "b-1", quantity: 1, amountMinor: 1_000 }]);
    const listed = [{ name: "Book", amount_minor: 1_000 }];
    expect(decide({ line_items: listed }, { lines })).toBe("admitted");
    const twoLines = [
      { name: "Book", amount_minor: 900 },
      { name: "Bag", amount_minor: 100 },
    ];
    const more = linesOf({ ...offer, line_items: twoLines });
    expect(decide({ line_items: listed }, { lines: more })).toBe("mandate_line_items_mismatch");
  });

  test("a purchase within every limit", () => {
    expect(admits(details, purchase)).toEqual({ kind: "admitted", limitsHidden: false });
    const open: MandateDetails = {
      type: "oid4ac_mandate",
      oid4ac_version: "1.0",
      currency: "EUR",
      amount_minor: 10_000,
      uses: "multiple",
    };
    expect(admits({ ...open, limits_hidden: true }, { ...purchase, categories: [] })).toEqual({
      kind: "admitted",
      limitsHidden: true,
    });
  });

  test("limits to the unit", () => {
    expect(decide({}, { amount: euros(10_001) })).toBe("charge_offer_amount_exceeds_mandate");
    expect(decide({ per_charge_minor: 60_000 }, { amount: euros(50_000) })).toBe("admitted");
    expect(decide({ per_charge_minor: 60_000 }, { amount: euros(50_001) })).toBe(
      "charge_offer_amount_exceeds_mandate",
    );
  });

  test("V03 another currency is refused; a token counts at par only where it is listed", () => {
    const usd = assetOf("USD");
    if (usd === undefined) throw new Error("USD is unknown");
    expect(decide({}, { amount: money(usd, 1n) })).toBe("mandate_asset_not_accepted");
    expect(decide({}, { amount: money(usdc, 1n) })).toBe("mandate_asset_not_accepted");
    const dollars = {
      currency: "USD",
      also_accepts: [{ asset: usdc.caip19?.toUpperCase().replace("EIP155", "eip155") ?? "", peg: "USD" }],
    };
    expect(decide(dollars, { amount: money(usdc, 100_000_000n) })).toBe("admitted");
    expect(decide(dollars, { amount: money(usdc, 100_000_001n) })).toBe(
      "charge_offer_amount_exceeds_mandate",
    );
    expect(decide({ ...dollars, currency: "EUR" }, { amount: money(usdc, 1n) })).toBe(
      "mandate_asset_not_accepted",
    );
    expect(
      decide({ also_accepts: [{ asset: usdc.caip19 ?? "", peg: "EUR" }] }, { amount: money(usdc, 1n) }),
    ).toBe("mandate_asset_not_accepted");
  });

  test("O03 another merchant, category, rail or offer is refused", () => {
    expect(decide({}, { merchantOrigin: "https://other.example" })).toBe("mandate_merchant_not_allowed");
    expect(decide({}, { merchantOrigin: "https://shop.example.evil.example" })).toBe(
      "mandate_merchant_not_allowed",
    );
    expect(decide({ merchants: [] })).toBe("mandate_merchant_not_allowed");
    expect(decide({}, { categories: ["music"] })).toBe("mandate_category_not_allowed");
    expect(decide({}, { categories: [] })).toBe("mandate_category_not_allowed");
    expect(decide({}, { rail: "x402" })).toBe("mandate_rail_not_allowed");
    expect(decide({ offer_digest: "another" })).toBe("mandate_offer_mismatch");
    expect(decide({ offer_digest: "digest", uses: "single" })).toBe("admitted");
  });

  test("what is withheld never makes a decision more generous than what is shown", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60_000 }),
        fc.subarray(["amount_minor", "per_charge_minor", "categories", "rails"]),
        (cents, hidden) => {
          const shown = Object.fromEntries(
            Object.entries(details).filter(([name]) => !hidden.includes(name)),
          );
          const full = admits(details, { ...purchase, amount: euros(cents) });
          const seen = admits(
            { ...details, ...shown, limits_hidden: true },
            { ...purchase, amount: euros(cents) },
          );
          if (full.kind === "admitted") expect(seen).toEqual({ kind: "admitted", limitsHidden: true });
        },
      ),
    );
  });
});

describe("a mandate as a credential", () => {
  const { issuerKey, agentKey, mandate } = makePurchase();
  const rules = { issuer, issuerKeys: [publicJwkOf(issuerKey)], now };
  const [jws = "", ...disclosures] = mandate.split("~");
  const { payload, header } = partsOf(jws);

  test("is what SD-JWT VC and the status list ask for", () => {
    expect(header).toEqual({ alg: "ES256", kid: issuerKey.kid, typ: "dc+sd-jwt" });
    expect(payload).toMatchObject({
      iss: issuer,
      vct: mandateVct(issuer),
      cnf: { jwk: publicJwkOf(agentKey) },
      status: { status_list: { uri: `${issuer}/oauth/status-list/1`, idx: 42 } },
      livemode: false,
    });
    expect(payload["credentialStatus"]).toMatchObject([
      { type: "StatusList2021Entry", statusPurpose: "revocation", statusListIndex: "42" },
      { type: "StatusList2021Entry", statusPurpose: "suspension", statusListIndex: "42" },
    ]);
    expect(JSON.stringify(payload)).not.toContain("ada@example.com");
    expect(JSON.stringify(payload)).not.toContain("192.0.2.1");
    expect(JSON.stringify(payload)).not.toContain("50000");
  });

  test("is read back by its holder", () => {
    const { claims, mandateHash } = verifyMandate({ ...rules, mandate });
    expect(claims).toMatchObject({
      principal_email: "ada@example.com",
      principal_country: "NL",
      consent_evidence: { ip: "192.0.2.1", user_agent: "Firefox" },
    });
    expect(mandateValidUntil(claims)).toBe(after(now, 30 * dayMs));
    expect(mandateHash).toBe(sha256b64url(jws));
    const { instrument: _, ...shown } = details;
    expect(claims.details).toEqual({ ...shown, limits_hidden: true });
  });

  test("is accepted under the older typ, and under no other", () => {
    const retyped = (typ: string): string => [signJws(issuerKey, { typ }, payload), ...disclosures].join("~");
    expect(verifyMandate({ ...rules, mandate: retyped("vc+sd-jwt") }).claims.iss).toBe(issuer);
    for (const typ of ["JWT", "at+jwt", "kb+jwt", "example+sd-jwt"])
      expect(codeOf(() => verifyMandate({ ...rules, mandate: retyped(typ) }))).toBe("mandate_malformed");
  });

  test.each([
    { iss: "https://evil.example" },
    { vct: "https://as.example/vct/other/1" },
    { sub: undefined },
    { jti: "mnd_1" },
    { iat: undefined },
    { nbf: undefined },
    { exp: "never" },
    { livemode: undefined },
    { cnf: undefined },
    { cnf: { jwk: { kty: "oct", k: "AAAA" } } },
    { cnf: { jkt: "x" } },
    { aud: [1] },
    { status: undefined },
    { status: { status_list: { uri: issuer, idx: -1 } } },
    { authorization_details: [] },
    { authorization_details: [details, details] },
    { authorization_details: [{ ...details, instrument: undefined, surprise: 1 }] },
    { authorization_details: [{ ...details, amount_minor: 1.5 }] },
    { authorization_details: [{ ...details, currency: undefined }] },
    { authorization_details: [{ ...details, limits_hidden: false }] },
  ] satisfies { readonly [name: string]: unknown }[])("is refused with %j", (changes) => {
    const plain: JsonObject = JSON.parse(
      JSON.stringify({
        ...payload,
        _sd: undefined,
        consent_evidence: undefined,
        authorization_details: [{ ...details, limits_hidden: true }],
        ...changes,
      }),
    );
    expect(
      codeOf(() =>
        verifyMandate({ ...rules, mandate: `${signJws(issuerKey, { typ: "dc+sd-jwt" }, plain)}~` }),
      ),
    ).toBe("mandate_malformed");
  });

  test("is refused with a key binding where none belongs, and when it is no SD-JWT", () => {
    for (const text of [`${mandate}a.b.c`, jws, ""])
      expect(codeOf(() => verifyMandate({ ...rules, mandate: text }))).toBe("mandate_malformed");
  });

  test("O04 expires to the second", () => {
    const short = issueMandate({ ...mandateFor(agentKey), validUntil: after(now, 10_000) }, issuerKey);
    expect(() => verifyMandate({ ...rules, mandate: short, now: after(now, 9_999) })).not.toThrow();
    expect(codeOf(() => verifyMandate({ ...rules, mandate: short, now: after(now, 10_000) }))).toBe(
      "mandate_expired",
    );
    const later = issueMandate(
      { ...mandateFor(generateJwk("EdDSA")), validFrom: after(now, 61_000) },
      issuerKey,
    );
    expect(codeOf(() => verifyMandate({ ...rules, mandate: later }))).toBe("mandate_not_yet_valid");
  });
});
