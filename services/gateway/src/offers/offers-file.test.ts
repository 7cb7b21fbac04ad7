import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { routeAt, shopAt } from "./offers.ts";
import { type Offers, OffersFileRefused, parseOffers } from "./offers-file.ts";

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
      price: { units: 1000n },
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
      "V12 routes that overlap",
      { merchants: [merchant], routes: [report, { ...report, id: "b", path: "/demo/:x" }] },
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
});
