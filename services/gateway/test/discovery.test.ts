import { type JsonObject, parsePaymentRequired } from "@remit/protocol";
import { readApiDocument } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { toolRoute } from "./mcp-world.ts";
import { cardWay, transferWay } from "./payers.ts";
import { merchantId, origin, startWorld, type World } from "./world.ts";

let world: World;

const route = (id: string, change: object): object => ({
  id,
  merchant: merchantId,
  method: "GET",
  path: `/${id}`,
  upstream: world.upstream.origin,
  name: id,
  sku: id,
  ...change,
});
const paid = { amount_minor: 700, currency: "USD", ways: [{ rail: "mandate" }, cardWay, transferWay] };
const more = (): object[] => [
  route("secret", { ...paid, hidden: true }),
  route("city", { ...paid, path: "/cities/:name", description: "One city." }),
  route("welcome", { gate: "free", name: "Hello](http://evil.test) [there" }),
  route("mine", { gate: "auth" }),
  ...["search", "other"].map((tool) => toolRoute(tool, world.upstream.origin)),
  toolRoute("echo", world.upstream.origin, { gate: "free", amount_minor: undefined, currency: undefined }),
];

beforeAll(async () => {
  world = await startWorld({
    payments: { stripe: { secret_key: "sk_test_1", origin: "http://127.0.0.1:9" } },
    ways: [{ rail: "mandate" }, cardWay, transferWay],
  });
  await world.writeOffers({ more: more() });
  await world.gateway.reload();
});

afterAll(async () => {
  await world.close();
});

const read = async (path: string, headers: Record<string, string> = {}) => {
  const answer = await world.ask(path, { headers });
  return { ...answer, text: answer.body.toString() };
};
const json = async (path: string, headers?: Record<string, string>): Promise<JsonObject> =>
  JSON.parse((await read(path, headers)).text);
const paymentOf = (document: JsonObject, path: string, method = "get"): JsonObject =>
  (document["paths"] as Record<string, Record<string, JsonObject>>)[path]?.[method] ?? {};

describe("/openapi.json at a merchant's origin", () => {
  test("is OpenAPI 3.1, and says of each paid operation what it costs and that it answers 402", async () => {
    const document = await json("/openapi.json");
    expect(readApiDocument(document).faults).toEqual([]);
    expect(document).toMatchObject({
      openapi: expect.stringMatching(/^3\.1/),
      info: { title: "shop.test", version: "1.0.0" },
      servers: [{ url: origin }],
      "x-service-info": { docs: { llms: `${origin}/llms.txt` } },
    });
    expect(paymentOf(document, "/demo/report")).toMatchObject({
      "x-payment-info": {
        price: { mode: "fixed", currency: "USD", amount: "10.00" },
        offers: [
          { intent: "charge", method: "oid4ac", amount: "1000", currency: "USD" },
          { intent: "charge", method: "stripe", amount: "1000", currency: "usd" },
          {
            intent: "charge",
            method: "evm",
            amount: "10000000",
            currency: transferWay.asset.address,
            description: transferWay.network,
          },
        ],
      },
      responses: { "402": { description: "Payment Required" } },
      security: [],
    });
    expect(paymentOf(document, "/cities/{name}")).toMatchObject({
      parameters: [{ name: "name", in: "path", required: true }],
      "x-payment-info": expect.anything(),
    });
    for (const free of ["/welcome", "/mine"]) {
      expect(paymentOf(document, free)).not.toHaveProperty("x-payment-info");
      expect(paymentOf(document, free)).not.toHaveProperty("responses.402");
    }
    const { offers } = paymentOf(document, "/mcp", "post")["x-payment-info"] as { offers: JsonObject[] };
    expect(offers.map(({ description }) => description)).toEqual([
      ...Array.from({ length: 3 }, () => "the tool search"),
      ...Array.from({ length: 3 }, () => "the tool other"),
    ]);
  });

  test("at the gateway's own origin is the gateway's, and at a stranger's too", async () => {
    for (const host of ["gateway.test", "nobody.test"]) {
      const document = await json("/openapi.json", { host });
      expect(document["paths"]).toHaveProperty("/api/v1/offers");
      expect(JSON.stringify(document)).not.toContain("/demo/report");
    }
  });
});

describe("what else tells of a shop", () => {
  test("/.well-known/x402 lists each address that a stranger can ask", async () => {
    expect(await json("/.well-known/x402")).toEqual({
      version: 1,
      resources: [`${origin}/demo/report`, `${origin}/demo/other`, `${origin}/demo/query`, `${origin}/mcp`],
      instructions: `${origin}/llms.txt tells what each of them is.`,
    });
  });

  test("G01 /llms.txt says it in words, and nothing that a merchant writes becomes a link", async () => {
    const { text, headers } = await read("/llms.txt");
    expect(headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(text).toMatch(/^# shop\.test\n\n> /);
    expect(text).toContain(
      `- [GET /demo/report](${origin}/demo/report): The breport/b; 10.00 USD by mandate, card, x402`,
    );
    expect(text).toContain(`- [tool search of /mcp](${origin}/mcp): The tool search; 10.00 USD`);
    expect(text).toContain(`- [GET /welcome](${origin}/welcome): Hello(http://evil.test) there`);
    expect(text).toContain("## Signed in\n- [GET /mine]");
  });

  test("the 402 says how it is asked, by a schema that its own example fits (bazaar)", async () => {
    const asked: [string, "GET" | "POST", JsonObject][] = [
      ["/demo/report", "GET", { type: "http", method: "GET" }],
      ["/demo/query", "POST", { type: "http", method: "POST", bodyType: "json", body: {} }],
      ["/cities/bern", "GET", { type: "http", method: "GET" }],
    ];
    for (const [path, method, input] of asked) {
      const answer = await world.ask(path, { method });
      const { extensions } = parsePaymentRequired(String(answer.headers["payment-required"]));
      const bazaar = extensions?.["bazaar"] as {
        info: JsonObject;
        schema: JsonObject;
        routeTemplate?: string;
      };
      expect(bazaar.info).toEqual({ input });
      const wrong = (info: unknown) =>
        readApiDocument({ paths: {}, schema: bazaar.schema }).wrong(["schema"], info);
      expect(wrong(bazaar.info)).toBeUndefined();
      expect(wrong({ input: { ...input, type: "mcp" } })).toBeDefined();
      expect(bazaar.routeTemplate).toBe(path === "/cities/bern" ? "/cities/:name" : undefined);
    }
  });

  test("the facilitator lists what x402 pays for, in pages", async () => {
    const resources = "/facilitator/discovery/resources";
    const all = (await json(resources)) as { items: JsonObject[]; pagination: JsonObject };
    expect(all.pagination).toEqual({ limit: 20, offset: 0, total: 5 });
    expect(all.items[0]).toMatchObject({
      resource: `${origin}/demo/report`,
      type: "http",
      x402Version: 2,
      accepts: [
        { scheme: "card", amount: "1000" },
        { scheme: "exact", network: transferWay.network, amount: "10000000", payTo: transferWay.pay_to },
      ],
      lastUpdated: expect.stringMatching(/^\d{4}-\d\d-\d\dT/),
      extensions: { bazaar: { info: { input: { type: "http", method: "GET" } } } },
    });
    expect(JSON.stringify(all)).not.toContain('"binding"');
    expect(await json("/discovery/resources")).toEqual(all);
    const tools = (await json(`${resources}?type=mcp&limit=1&offset=1`)) as typeof all;
    expect(tools.pagination).toEqual({ limit: 1, offset: 1, total: 2 });
    expect(tools.items).toMatchObject([
      {
        resource: `${origin}/mcp`,
        type: "mcp",
        extensions: { bazaar: { info: { input: { tool: "other" } } } },
      },
    ]);
    for (const query of ["limit=101", "limit=0", "offset=-1", "type=ftp", "page=1"])
      expect((await read(`${resources}?${query}`)).status).toBe(400);
  });

  test("none of them tells of what is hidden, and who knows of it can pay", async () => {
    const places = [
      "/openapi.json",
      "/.well-known/x402",
      "/llms.txt",
      "/facilitator/discovery/resources?limit=100",
      "/.well-known/oid4ac-catalog",
    ];
    for (const place of places) expect((await read(place)).text).not.toContain("secret");
    const answer = await world.ask("/secret");
    expect(answer.status).toBe(402);
    const { extensions } = parsePaymentRequired(String(answer.headers["payment-required"]));
    expect(extensions).not.toHaveProperty("bazaar");
  });

  test("all of them change with the offers", async () => {
    await world.writeOffers({ more: [...more(), route("fresh", paid)] });
    await world.gateway.reload();
    for (const place of [
      "/openapi.json",
      "/.well-known/x402",
      "/llms.txt",
      "/facilitator/discovery/resources",
    ]) {
      const { text, headers } = await read(place);
      expect(text).toContain("/fresh");
      expect(headers["cache-control"]).toBe("no-cache");
    }
    await world.writeOffers({ more: more() });
    await world.gateway.reload();
    expect((await read("/llms.txt")).text).not.toContain("/fresh");
  });

  test("a shop that sells an address of its own at one of them keeps it", async () => {
    await world.writeOffers({ more: [route("llms", { gate: "free", path: "/llms.txt" })] });
    await world.gateway.reload();
    expect((await read("/llms.txt")).text).toBe("the report");
    for (const host of ["nobody.test", "gateway.test"])
      expect((await read("/llms.txt", { host })).status).toBe(421);
  });
});
