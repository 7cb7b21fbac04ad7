import { newId, Secret } from "@remit/kernel";
import { ReplaceOffer } from "@remit/protocol/contracts";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import type { Merchant } from "../offers/index.ts";
import { decimalNearest, unitsNearest } from "./prices.ts";
import { conflicts } from "./shelf.ts";
import { routesOf } from "./spec.ts";

const key = generateJwk("ES256");
const merchant: Merchant = {
  id: newId("merchant"),
  tenant: newId("tenant"),
  origin: "http://shop.example",
  clientId: newId("client"),
  keys: { assertion: key, dpop: key, offer: key },
  accounts: {
    facilitator: { kind: "local" },
    stripe: { secretKey: new Secret("sk_test_x"), origin: "https://api.stripe.com" },
  },
};
const everyRail = {
  pay_with: ["card", "x402", "mandate"],
  card: { network_id: "profile_test_1" },
  x402: { chain: "base-sepolia", pay_to: `0x${"ab".repeat(20)}` },
};
const make = (more: object) =>
  routesOf({
    id: newId("offer"),
    name: "weather",
    merchant,
    spec: ReplaceOffer.parse({ upstream: "http://127.0.0.1:9000", ...more }),
  });

describe("the price of an offer", () => {
  test.each([
    ["0.05", 2, 5n],
    ["0.055", 2, 6n],
    ["0.0549999999", 2, 5n],
    ["1", 0, 1n],
    ["1.5", 0, 2n],
    ["0.0000005", 6, 1n],
    ["999999999999.999999999999999999", 18, 999_999_999_999_999_999_999_999_999_999n],
  ])("%s in units of 10^-%i is %s, to the nearest", (text, places, units) => {
    expect(unitsNearest(text, places)).toBe(units);
  });

  test.each([
    ["0.05", 6, "0.05"],
    ["0.0000015", 6, "0.000002"],
    ["2", 6, "2"],
    ["10.10", 6, "10.1"],
  ])("%s with at most %i places is %s", (text, places, nearest) => {
    expect(decimalNearest(text, places)).toBe(nearest);
  });

  test("G 0.05 USD is below what a card pays: it is sold without card, and says so", () => {
    const { routes, faults } = make({ price: "0.05", ...everyRail });
    expect(faults).toEqual([]);
    for (const route of routes)
      expect(route).toMatchObject({
        ways: [{ rail: "x402", amount: 50_000n }, { rail: "mandate" }],
        dropped: [{ rail: "card", because: expect.stringContaining("0.50 USD") }],
      });
  });

  test("what is less than a cent is sold by stablecoin alone, to the unit", () => {
    const { routes, warnings } = make({ price: "0.001", ...everyRail });
    expect(routes[0]).toMatchObject({ ways: [{ rail: "x402", amount: 1000n }] });
    expect(warnings.join()).toContain("not sold by card or mandate");
  });

  test("a price with more places than its currency is rounded for money, and exact for tokens", () => {
    const { routes, warnings } = make({ price: "1.005", ...everyRail });
    expect(routes[0]).toMatchObject({ price: { units: 101n } });
    expect(routes[0]).toMatchObject({
      ways: [{ rail: "card" }, { amount: 1_005_000n }, { rail: "mandate" }],
    });
    expect(warnings).toEqual(["1.005 USD is 1.01 USD by card or mandate"]);
  });

  test.each<[string, object, string]>([
    ["less than a token's unit", { price: "0.0000001", ...everyRail }, "smallest unit"],
    ["nothing", { price: "0", pay_with: ["mandate"] }, "nothing"],
    ["nothing at all", {}, "has a price"],
    ["less than a cent under a mandate", { price: "0.001" }, "nothing"],
    ["euros for a stablecoin", { price: "1.00", currency: "EUR", ...everyRail }, "USD"],
    [
      "a chain nobody knows",
      { price: "1.00", ...everyRail, x402: { ...everyRail.x402, chain: "dogecoin" } },
      "dogecoin",
    ],
    [
      "use charged before it is known",
      { price: { per: "mtok", amount: "0.50", ceiling: "0.05" }, settle: "before" },
      "set settle to after",
    ],
    ["a mandate charged first", { price: "1.00", settle: "before" }, "set settle to after"],
    ["nowhere for the coins to go", { price: "1.00", pay_with: ["x402"] }, "x402.pay_to"],
  ])("%s is refused", (_what, more, why) => {
    expect(make(more).faults.join()).toContain(why);
  });

  test("a purchase finds its route again after the price has changed", () => {
    const id = newId("offer");
    const of = (price: string) =>
      routesOf({
        id,
        name: "weather",
        merchant,
        spec: ReplaceOffer.parse({ upstream: "http://127.0.0.1:9000", price }),
      }).routes.map((route) => route.id);
    expect(of("0.05")).toEqual(of("7.00"));
    expect(new Set(of("0.05")).size).toBe(10);
  });
});

describe("the tools of an MCP server", () => {
  const tool = (name: string, more: object = {}) => ({
    path: "/mcp",
    tool: name,
    methods: ["POST"],
    ...more,
  });

  test("are a route each, at one address, with prices and ids of their own", () => {
    const routes = [
      tool("search", { price: "0.10" }),
      tool("*"),
      tool("echo", { gate: "free", hidden: true }),
    ];
    const made = make({ price: "1.00", pay_with: ["mandate"], routes });
    expect(made.faults).toEqual([]);
    expect(made.routes).toMatchObject([
      {
        tool: "search",
        method: "POST",
        pattern: ["mcp"],
        price: { units: 10n },
        name: "search",
        hidden: false,
      },
      { tool: "*", price: { units: 100n } },
      { tool: "echo", gate: "free", hidden: true },
    ]);
    expect(new Set(made.routes.map(({ id }) => id)).size).toBe(3);
  });

  test("are no program of the gateway's own machine, whatever an offer says", () => {
    expect(() => make({ upstream: "stdio:tools", price: "1.00", routes: [tool("search")] })).toThrow(
      /upstream/,
    );
  });

  test.each([
    ["twice", [tool("a"), tool("a")]],
    ["beside a page at their address", [tool("a"), { path: "/mcp", methods: ["GET"], gate: "free" }]],
  ])("are not sold %s", (_, routes) => {
    const made = make({ price: "1.00", routes });
    expect(conflicts(made.routes, [])).toHaveLength(1);
  });

  test("are not behind an open path", () => {
    expect(make({ price: "1.00", routes: [tool("a", { path: "/x/*" })] }).faults.join()).toContain(
      "no open part",
    );
  });
});
