import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import type { Offers, SaleRoute } from "./model.ts";
import { shopAt } from "./offers.ts";
import { OffersFileRefused, parseOffers } from "./offers-file.ts";
import { routeAt } from "./route-table.ts";

const merchantId = newId("merchant");
const key = generateJwk("ES256");
const merchant = {
  id: merchantId,
  tenant: newId("tenant"),
  origin: "http://shop.example:3402",
  client_id: newId("client"),
  keys: { assertion: key, dpop: key, offer: key },
};
const report = {
  id: "report",
  merchant: merchantId,
  method: "GET",
  path: "/demo/report",
  upstream: "http://127.0.0.1:3900",
  amount_minor: 1000,
  currency: "USD",
  name: "A report",
  sku: "report-1",
};
const noKeys = async (): Promise<Uint8Array> => {
  throw new Error("no such file");
};
const read = (value: unknown): Promise<Offers> => parseOffers(Buffer.from(JSON.stringify(value)), noKeys);

describe("the offers file", () => {
  test("a right file is a shop at its host", async () => {
    const offers = await read({ merchants: [merchant], routes: [report] });
    const shop = shopAt(offers, "shop.example:3402");
    expect(routeAt(shop, "GET", "/demo/report")).toMatchObject({
      id: "report",
      serveByS: 60,
      gate: "paid",
      price: { units: 1000n },
      ways: [{ rail: "mandate" }],
      deliver: "buffer",
      settle: "after",
      timeoutMs: 60_000,
    });
  });

  test("keys may stand in files beside it", async () => {
    const bytes = Buffer.from(
      JSON.stringify({
        merchants: [{ ...merchant, keys: { assertion: "a.json", dpop: "a.json", offer: "a.json" } }],
        routes: [],
      }),
    );
    const offers = await parseOffers(bytes, async () => Buffer.from(JSON.stringify(key)));
    expect(shopAt(offers, "shop.example:3402").merchant.keys.offer.x).toBe(key.x);
  });

  test.each([
    ["an unknown member", { merchants: [{ ...merchant, payout: "acct_x" }], routes: [] }],
    ["a price of nothing", { merchants: [merchant], routes: [{ ...report, amount_minor: 0 }] }],
    ["a price in fractions", { merchants: [merchant], routes: [{ ...report, amount_minor: 1.5 }] }],
    ["a price in text", { merchants: [merchant], routes: [{ ...report, amount_minor: "1000" }] }],
    ["a currency nobody has", { merchants: [merchant], routes: [{ ...report, currency: "XXX" }] }],
    [
      "an upstream with a path",
      { merchants: [merchant], routes: [{ ...report, upstream: "http://127.0.0.1:3900/x" }] },
    ],
    ["an origin with a path", { merchants: [{ ...merchant, origin: "http://shop.example/x" }], routes: [] }],
    ["a merchant nobody listed", { merchants: [], routes: [report] }],
    [
      "two merchants of one id",
      { merchants: [merchant, { ...merchant, origin: "http://b.example" }], routes: [] },
    ],
    [
      "two merchants at one origin",
      { merchants: [merchant, { ...merchant, id: newId("merchant") }], routes: [] },
    ],
    ["two routes of one id", { merchants: [merchant], routes: [report, { ...report, path: "/other" }] }],
    [
      "V12 two routes for the very same requests",
      {
        merchants: [merchant],
        routes: [
          { ...report, path: "/demo/:x" },
          { ...report, id: "b", path: "/demo/:y" },
        ],
      },
    ],
    [
      "V12 a path with another spelling",
      { merchants: [merchant], routes: [{ ...report, path: "/demo/%2e%2e/x" }] },
    ],
    [
      "a key that is public",
      {
        merchants: [{ ...merchant, keys: { ...merchant.keys, offer: { ...key, d: undefined } } }],
        routes: [],
      },
    ],
    [
      "a key file that is missing",
      { merchants: [{ ...merchant, keys: { ...merchant.keys, offer: "gone.json" } }], routes: [] },
    ],
  ])("%s is refused", async (_, value) => {
    await expect(read(value)).rejects.toThrow(OffersFileRefused);
  });

  test("a refusal never shows a key", async () => {
    const broken = {
      merchants: [{ ...merchant, keys: { ...merchant.keys, offer: { ...key, x: "short" } } }],
      routes: [],
    };
    const refusal = await read(broken).catch((error: unknown) => String(error));
    expect(refusal).not.toContain(key.d);
  });

  test("text that names a member twice is refused", async () => {
    await expect(
      parseOffers(Buffer.from('{"merchants":[],"merchants":[],"routes":[]}'), noKeys),
    ).rejects.toThrow(OffersFileRefused);
  });

  test("V12 of two routes that match, the more specific one holds, wherever it stands", async () => {
    const open = { ...report, id: "open", path: "/demo/*", amount_minor: 5 };
    const offers = await read({ merchants: [merchant], routes: [open, report] });
    const shop = shopAt(offers, "shop.example:3402");
    expect(routeAt(shop, "GET", "/demo/report").id).toBe("report");
    expect(routeAt(shop, "GET", "/demo/else").id).toBe("open");
  });

  test("an unknown host, path and method are refused, each in its way", async () => {
    const offers = await read({ merchants: [merchant], routes: [report] });
    const shop = shopAt(offers, "shop.example:3402");
    expect(() => shopAt(offers, "evil.example")).toThrow(new Problem("merchant_host_unknown"));
    expect(() => shopAt(offers, undefined)).toThrow(new Problem("merchant_host_unknown"));
    expect(() => routeAt(shop, "GET", "/demo/report/extra")).toThrow(new Problem("route_not_offered"));
    expect(() => routeAt(shop, "POST", "/demo/report")).toThrow(
      new Problem("method_not_allowed", { headers: { allow: "GET" } }),
    );
  });

  const payments = { stripe: { secret_key: "sk_test_1" } };
  const card = { rail: "card", network_id: "acct_profile" };
  const x402 = {
    rail: "x402",
    network: "eip155:84532",
    asset: {
      address: "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
      decimals: 6,
      name: "USDC",
      version: "2",
    },
    pay_to: `0x${"ab".repeat(20)}`,
  };
  const sold = async (route: object, shop: object = { payments }): Promise<SaleRoute> =>
    routeAt(
      shopAt(
        await read({ merchants: [{ ...merchant, ...shop }], routes: [{ ...report, ...route }] }),
        "shop.example:3402",
      ),
      "GET",
      "/demo/report",
    );

  test("a route is sold by every way that is named, at what each rail counts in", async () => {
    const route = await sold({ ways: [{ rail: "mandate" }, card, x402] });
    expect(route).toMatchObject({
      ways: [
        { rail: "mandate" },
        { rail: "card", networkId: "acct_profile", paymentMethodTypes: ["card"] },
        { rail: "x402", amount: 10_000_000n, payTo: x402.pay_to },
      ],
      dropped: [],
    });
    expect(JSON.stringify(route.merchant.accounts)).not.toContain("sk_test_1");
  });

  test("a price below the card's minimum is sold without cards, and says so", async () => {
    const route = await sold({ amount_minor: 5, ways: [card, x402] });
    expect(route).toMatchObject({
      ways: [{ rail: "x402", amount: 50_000n }],
      dropped: [{ rail: "card", because: "needs at least 0.50 USD" }],
    });
  });

  const perMtok = { unit: "mtok", unit_price: "0.25", ceiling_minor: 200, least_minor: 50 };
  const byUse = { amount_minor: undefined, metered: perMtok };

  test("a price by use holds its ceiling, and is paid by what can take less than it holds", async () => {
    expect(await sold({ ...byUse, ways: [{ rail: "mandate" }, card, x402] })).toMatchObject({
      price: { units: 200n },
      meter: { unit: "mtok", amountMinor: 25, quantity: 1, leastMinor: 50 },
      ways: [{ rail: "mandate" }, { rail: "card" }, { rail: "x402", scheme: "upto", amount: 2_000_000n }],
      dropped: [],
    });
    // Less than a cent for each unit is exact all the same.
    const fine = { ...perMtok, unit_price: "0.000125" };
    expect(await sold({ ...byUse, metered: fine })).toMatchObject({
      meter: { amountMinor: 1, quantity: 80 },
    });
    const request = { ...perMtok, unit: "request" };
    const fixed = await sold({ ...byUse, metered: request });
    expect(fixed).toMatchObject({ price: { units: 25n } });
    expect(fixed).not.toHaveProperty("meter");
  });

  test("a card that could not be charged the least of a price by use is left out, and it says so", async () => {
    const metered = { ...perMtok, least_minor: 49 };
    expect(await sold({ ...byUse, metered, ways: [{ rail: "mandate" }, card] })).toMatchObject({
      ways: [{ rail: "mandate" }],
      dropped: [{ because: "needs a least price of 0.50 USD where use is counted (least_minor)" }],
    });
  });

  test.each<[string, object, string]>([
    [
      "use that is charged before it is known",
      { ...byUse, settle: "before", ways: [card] },
      "set settle to after",
    ],
    [
      "use that somebody else's facilitator would settle",
      { ...byUse, ways: [{ ...x402, facilitator: { url: "https://facilitator.example" } }] },
      "by this gateway's own facilitator alone",
    ],
    [
      "use that is served for longer than its permit is good",
      { ...byUse, serve_by_s: 181, ways: [x402] },
      "serve_by_s is at most 180",
    ],
    [
      "a price by use of nothing",
      { ...byUse, metered: { ...perMtok, unit_price: "0" } },
      "unit_price is nothing",
    ],
    [
      "a least above the ceiling",
      { ...byUse, metered: { ...perMtok, least_minor: 201 } },
      "more than its ceiling",
    ],
    [
      "part of a coin for each request",
      { ...byUse, metered: { ...perMtok, unit: "request", unit_price: "0.001" } },
      "a whole number of the smallest coin",
    ],
    [
      "use in a currency of three places, by cards",
      {
        ...byUse,
        metered: { ...perMtok, ceiling_minor: 2000, least_minor: 500 },
        currency: "BHD",
        ways: [{ rail: "mandate" }, card],
      },
      "in steps of ten",
    ],
    ["a mandate that is charged first", { settle: "before" }, "set settle to after, or add a way"],
    [
      "an upstream that may take longer than is promised",
      { serve_by_s: 30, upstream_timeout_s: 31 },
      "upstream_timeout_s 31 is longer than serve_by_s 30",
    ],
  ])("%s is refused, and what to do instead is said", async (_, route, why) => {
    await expect(sold(route)).rejects.toThrow(why);
  });

  test("what pays at the door may be charged before it is served, and what is free may be streamed", async () => {
    expect(await sold({ settle: "before", ways: [{ rail: "mandate" }, x402] })).toMatchObject({
      settle: "before",
    });
    const free = { gate: "free", deliver: "stream", amount_minor: undefined, currency: undefined };
    expect(await sold(free)).toMatchObject({ deliver: "stream" });
    expect(await sold({ serve_by_s: 30, upstream_timeout_s: 30 })).toMatchObject({ timeoutMs: 30_000 });
  });

  test.each([
    ["a price that no way is left for", { amount_minor: 5, ways: [card] }],
    ["a card without an account to be paid on", { ways: [card] }, {}],
    [
      "a token that nobody knows, without an amount",
      { ways: [{ ...x402, asset: { ...x402.asset, address: `0x${"1".repeat(40)}` } }] },
    ],
    ["a dollar's token for a price in euros", { currency: "EUR", ways: [x402] }],
    ["a way named twice", { ways: [card, card] }],
    ["a way nobody knows", { ways: [{ rail: "cash" }] }],
    ["a payee that is no address", { ways: [{ ...x402, pay_to: "0x12" }] }],
    ["no price", { amount_minor: undefined }],
    ["two prices", { metered: { unit: "mb", unit_price: "1", ceiling_minor: 200 } }],
    ["a price for what is free", { gate: "free" }],
    ["a card whose account the buyer's side could name", { ways: [{ ...card, destination: "acct_x" }] }],
  ])("%s is refused", async (_, route, shop: object = { payments }) => {
    await expect(sold(route, shop)).rejects.toThrow(OffersFileRefused);
  });
});
