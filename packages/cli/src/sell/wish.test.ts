import { newId } from "@remit/kernel";
import { describe, expect, test } from "vitest";
import { offerOf, type SellWish, wishOfMcp } from "./wish.ts";

const sandbox = { networkId: "profile_test_x", payTo: `0x${"ab".repeat(20)}` };
const wish = (more: Partial<SellWish> = {}): SellWish => ({
  dataDir: ".remit",
  upstream: "http://localhost:9000",
  currency: "USD",
  chain: "base-sepolia",
  price: "0.05",
  ...more,
});
const made = (more: Partial<SellWish> = {}, place: typeof sandbox | undefined = sandbox) =>
  offerOf(wish(more), { merchant: newId("merchant"), sandbox: place });

describe("what the flags of a sale come to", () => {
  test("an upstream and a price are enough: all of it, under mandates", () => {
    expect(made()).toMatchObject({
      offer: {
        name: "localhost-9000",
        price: "0.05",
        pay_with: ["mandate"],
        routes: [{ path: "/*", gate: "paid", methods: ["GET", "POST", "PUT", "PATCH", "DELETE"] }],
      },
    });
  });

  test("where money can arrive by chain and card, it is sold by them too", () => {
    const payTo = `0x${"cd".repeat(20)}`;
    expect(made({ payTo, stripeNetworkId: "profile_1" })).toMatchObject({
      offer: {
        pay_with: ["card", "x402", "mandate"],
        card: { network_id: "profile_1" },
        x402: { chain: "base-sepolia", pay_to: payTo },
      },
    });
  });

  test("a model is sold by the million tokens, with a ceiling, at the addresses of the OpenAI API", () => {
    const offer = made({ price: undefined as never, perMtok: "0.50", model: "llama3" });
    expect(offer).toMatchObject({
      offer: { price: { per: "mtok", amount: "0.50", ceiling: "0.050" }, description: "Inference by llama3" },
    });
    const paths = "offer" in offer ? offer.offer.routes.map(({ path, gate }) => `${gate} ${path}`) : [];
    expect(paths).toContain("paid /v1/chat/completions");
    expect(paths).toContain("free /v1/models");
  });

  test.each([
    [{ perMb: "0.20" }, { per: "mb", amount: "0.20", ceiling: "0.020" }],
    [
      { perHour: "6", ceiling: "1.50", least: "0.50" },
      { per: "hour", amount: "6", ceiling: "1.50", least: "0.50" },
    ],
  ])("what is counted is sold by it: %j", (counted, price) => {
    expect(made({ price: undefined as never, ...counted, stream: true, healthPath: "/ok" })).toMatchObject({
      offer: { price, deliver: "stream", health: { path: "/ok", interval_s: 10 } },
    });
  });

  test("coins of a real chain never go to the sandbox's seller, whose key everybody knows", () => {
    expect(made({ payWith: ["x402"] })).toMatchObject({ offer: { x402: { pay_to: sandbox.payTo } } });
    expect(made({ payWith: ["x402"], chain: "base" })).toMatchObject({
      fault: expect.stringContaining("--pay-to"),
    });
  });

  test.each<[string, Partial<SellWish>, string]>([
    ["no price at all", { price: undefined as never }, "--price"],
    ["cards that arrive nowhere", { payWith: ["card"] }, "--stripe-network-id"],
    ["coins that arrive nowhere", { payWith: ["x402"] }, "--pay-to"],
  ])("%s is refused with its remedy", (_what, more, remedy) => {
    const outcome = offerOf(wish(more), { merchant: newId("merchant"), sandbox: undefined });
    expect(outcome).toMatchObject({ fault: expect.stringContaining(remedy) });
  });

  test("an MCP server is sold at its own path, by all tools or by those that are named", () => {
    const upstream = { origin: "http://localhost:9000", path: "/mcp" };
    const { upstream: _, ...rest } = wish();
    const routes = (more: object): unknown => {
      const outcome = offerOf(wishOfMcp({ ...rest, upstream, ...more }), {
        merchant: newId("merchant"),
        sandbox,
      });
      return "offer" in outcome ? outcome.offer.routes : outcome.fault;
    };
    expect(routes({})).toMatchObject([{ path: "/mcp", tool: "*", methods: ["POST"], gate: "paid" }]);
    const tool = [
      { tool: "search", gate: "paid", price: "0.05" },
      { tool: "echo", gate: "free" },
    ];
    expect(routes({ tool, price: undefined })).toMatchObject([
      { tool: "search", price: "0.05" },
      { tool: "echo" },
    ]);
    expect(routes({ price: undefined })).toContain("--price");
  });
});
