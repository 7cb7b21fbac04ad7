import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { sandboxSeller } from "@remit/embedded";
import { newId } from "@remit/kernel";
import { createGatewayPaywall } from "@remit/merchant";
import {
  isJsonObject,
  type JsonObject,
  Problem,
  parseEvidenceKeys,
  parseJson,
  parsePaymentRequired,
} from "@remit/protocol";
import { verifyReceipt } from "@remit/protocol/node";
import { eventually, switchesOf } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { commandsOf } from "./commands.ts";
import {
  agentOf,
  agentsApi,
  auditOf,
  grant,
  type Instance,
  ledgerOf,
  manage,
  paymentIntentsOf,
  read,
  startInstance,
  toThisMachine,
} from "./instance.ts";

let remit: Instance;

beforeAll(async () => {
  remit = await startInstance();
});

afterAll(async () => {
  await remit?.close();
});

describe("the main job", () => {
  test("an agent gets 402, pays under its mandate, gets the goods and a receipt that verifies offline", async () => {
    const { dev } = remit;
    const agent = agentOf(dev);
    await grant(dev, agent, { amount_minor: 2500 });
    const before = (await paymentIntentsOf(dev)).length;
    const { response, receipt, charge, offer } = await agent.fetch(dev.paid_url);
    expect(response.status).toBe(200);
    expect(await response.json()).toBeTypeOf("object");
    const keys = await fetch(`${dev.issuer}/.well-known/remit-keys`);
    const { issuer, keys: known } = parseEvidenceKeys(parseJson(new Uint8Array(await keys.arrayBuffer())));
    const claims = verifyReceipt(receipt ?? "", { issuer, keys: known });
    expect(claims).toMatchObject({
      charge,
      amount_minor: 1000,
      currency: "USD",
      livemode: false,
      iss: dev.issuer,
    });
    expect(claims.merchant).toEqual({ id: dev.merchant.id, origin: offer?.merchant_origin });
    const made = (await paymentIntentsOf(dev)).slice(0, (await paymentIntentsOf(dev)).length - before);
    expect(made).toMatchObject([{ status: "succeeded", amount_received: 1000 }]);
    expect(await ledgerOf(dev)).toMatchObject({ balanced: true });
    expect(await auditOf(dev)).toMatchObject({ verified: true });
  });

  test("R06 the books of a purchase are shown and written out by `remit ledger`, each entry in balance", async () => {
    const { dev, dataDir } = remit;
    const agent = agentOf(dev);
    await grant(dev, agent, { amount_minor: 2500 });
    const { charge } = await agent.fetch(dev.paid_url);
    const ledger = commandsOf(dataDir, "ledger");
    const period = ["--from", "2026-01", "--until", "2100-01-01"];
    const { code, out } = await ledger("export", ...period, "--json");
    expect(code).toBe(0);
    // One entry a line, as the contract has it.
    type Entry = { id: string; charge: string; kind: string; postings: { account: string; units: string }[] };
    const entries = out
      .trimEnd()
      .split("\n")
      .map((line): Entry => JSON.parse(line));
    for (const { postings } of entries)
      expect(postings.reduce((sum, { units }) => sum + BigInt(units), 0n)).toBe(0n);
    const capture = entries.find((entry) => entry.charge === charge && entry.kind === "capture");
    expect(capture).toBeDefined();
    const csv = (await ledger("export", ...period)).out.trimEnd().split("\r\n");
    expect(csv).toHaveLength(1 + entries.reduce((sum, { postings }) => sum + postings.length, 0));
    expect(csv[0]).toMatch(/^posted_at,entry,kind,.*,units$/);

    const shown = await ledger("show", capture?.id ?? "");
    expect(shown).toMatchObject({ code: 0 });
    expect(shown.out).toContain(`charge ${charge}`);
    const payable = capture?.postings.find(({ account }) => account.startsWith("merchant_payable:"));
    const account = await ledger("show", payable?.account ?? "", "--json");
    expect(account.object).toMatchObject({ id: payable?.account, asset: "USD" });
    const nowhere = await ledger("show", "ent_00000000000000000000000000");
    expect(nowhere.code).not.toBe(0);
  });

  test("a receipt fails after any byte of it is changed", async () => {
    const { dev } = remit;
    const agent = agentOf(dev);
    await grant(dev, agent, { amount_minor: 1000 });
    const { receipt = "" } = await agent.fetch(dev.paid_url);
    const keys = await fetch(`${dev.issuer}/.well-known/remit-keys`);
    const trusted = parseEvidenceKeys(parseJson(new Uint8Array(await keys.arrayBuffer())));
    verifyReceipt(receipt, trusted);
    for (let at = 0; at < receipt.length; at++) {
      const other = receipt[at] === "A" ? "B" : "A";
      const changed = receipt.slice(0, at) + other + receipt.slice(at + 1);
      expect(() => verifyReceipt(changed, trusted), `byte ${at}`).toThrow(Problem);
    }
  });
});

test("C01 of 100 parallel purchases of 10.00 under a cap of 100.00 exactly 10 are captured, and the books agree", async () => {
  const { dev } = remit;
  const agent = agentOf(dev);
  const captured = async (): Promise<number> =>
    (await paymentIntentsOf(dev)).filter(({ status }) => status === "succeeded").length;
  await grant(dev, agent, { amount_minor: 10_000 });
  const before = await captured();
  const outcomes = await Promise.all(
    Array.from({ length: 100 }, async () => {
      const { response } = await agent.fetch(dev.paid_url);
      const body: unknown = await response.json();
      const code = isJsonObject(body) && typeof body["code"] === "string" ? body["code"] : "no code";
      return response.status === 200 ? "paid" : `${response.status} ${code}`;
    }),
  );
  const counted = Object.groupBy(outcomes, (outcome) => outcome);
  expect(Object.fromEntries(Object.entries(counted).map(([outcome, all]) => [outcome, all?.length]))).toEqual(
    {
      paid: 10,
      "402 mandate_cap_exceeded": 90,
    },
  );
  expect((await captured()) - before).toBe(10);
  expect(await ledgerOf(dev)).toMatchObject({ balanced: true });
  await eventually(async () => expect(await auditOf(dev)).toMatchObject({ verified: true }));
});

test("the merchant is charged its fee, and what is left is what it is owed", async () => {
  const { dev } = remit;
  const agent = agentOf(dev);
  await grant(dev, agent, { amount_minor: 1000 });
  const { charge } = await agent.fetch(dev.paid_url);
  type Entries = { data: { kind: string; postings: { account: string; units: string }[] }[] };
  const { data } = (await read(dev, `${dev.billing}/api/v1/ledger/entries?charge=${charge}`)) as Entries;
  const owed = data
    .flatMap(({ postings }) => postings)
    .filter(({ account }) => account.startsWith("merchant_payable"));
  // 2.9 % of 10.00 and 0.30 stay with the platform; its own accounts are not for a merchant to see.
  expect(owed.map(({ units }) => BigInt(units))).toEqual([-941n]);
  expect(await ledgerOf(dev)).toMatchObject({ balanced: true });
});

test("what billing did for a charge reaches the payer's log as billing's report", async () => {
  const { dev } = remit;
  const agent = agentOf(dev);
  await grant(dev, agent, { amount_minor: 1000 });
  const { charge } = await agent.fetch(dev.paid_url);
  type Log = {
    data: { event: string; payload: { charge?: string; reported_by?: string } }[];
    next_cursor: string | null;
  };
  await eventually(async () => {
    const reported: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = (await read(
        dev,
        `${dev.issuer}/api/v1/audit?limit=1000${cursor === "" ? "" : `&cursor=${cursor}`}`,
      )) as Log;
      reported.push(
        ...page.data
          .filter(({ payload }) => payload.charge === charge && payload.reported_by === "billing")
          .map(({ event }) => event),
      );
      cursor = page.next_cursor;
    }
    expect(reported).toEqual(expect.arrayContaining(["payment.authorized", "payment.captured"]));
  });
});

test("an organization sees its plan, pays for the next one at Checkout, and has it", async () => {
  const { dev } = remit;
  const status = async (): Promise<object> => (await manage(dev, "GET", "/api/v1/tiers/status")).body;
  expect(await status()).toMatchObject({
    tier: "free",
    limits: { maxAgents: 10, maxCallsPerDay: 1_000, maxTokensPerDay: 1_000 },
    usage: { agentCount: 1, tokensToday: expect.any(Number) },
  });
  const evil = await manage(dev, "POST", "/api/v1/billing/checkout", { successUrl: "https://evil.example/" });
  expect([evil.status, evil.body["code"]]).toEqual([400, "return_url_refused"]);
  const asked = await manage(dev, "POST", "/api/v1/billing/checkout", {
    successUrl: `${dev.issuer}/account`,
  });
  expect(asked.status).toBe(200);
  const { checkoutUrl } = asked.body as { checkoutUrl: string }; // as PlanCheckout says
  const page = await fetch(checkoutUrl);
  expect(await page.text()).toContain("Pay USD 49.00");
  const switches = switchesOf(() => dev.sandbox);
  const { subscription } = await switches.pay(checkoutUrl);
  await eventually(async () =>
    expect(await status()).toMatchObject({
      tier: "pro",
      limits: { maxAgents: 100, maxTokensPerMonth: 100_000 },
    }),
  );
  expect((await manage(dev, "POST", "/api/v1/tiers/upgrade")).body["code"]).toBe("plan_change_refused");
  expect((await manage(dev, "POST", "/api/v1/billing/cancel")).body).toMatchObject({
    tier: "pro",
    endsAt: expect.any(String),
  });
  await switches.subscription(subscription, "canceled");
  await eventually(async () => expect(await status()).toMatchObject({ tier: "free" }));
});

test("a public agent is in the marketplace at the issuer's address, with its documents, until it is withdrawn", async () => {
  const { issuer } = remit.dev;
  const market = `${issuer}/api/v1/marketplace/agents`;
  const agents = await agentsApi(remit.dev);
  const made = await agents("POST", "/api/v1/agents", {
    email: "screener@agents.example",
    name: "Resume screener",
    agentType: "screener",
    version: "1.0.0",
    capabilities: ["resume:read"],
    owner: "talent-team",
    deploymentEnv: "production",
    isPublic: true,
  });
  const { agentId } = made;
  if (typeof agentId !== "string") throw new Error(`not registered: ${JSON.stringify(made)}`);
  const inMarket = async (): Promise<number> => (await fetch(`${market}/${agentId}`)).status;
  await eventually(async () => expect(await inMarket()).toBe(200));
  const { data } = (await (await fetch(`${market}?text=screener&capability=resume:read`)).json()) as {
    data: JsonObject[];
  };
  expect(data).toMatchObject([{ agentId, name: "Resume screener", did: made["did"] }]);
  const card = await fetch(`${issuer}/agents/${agentId}/agent-card.json`);
  expect(data[0]?.["card"]).toMatchObject({ ...((await card.json()) as object), signatures: [{}] });
  await agents("PATCH", `/api/v1/agents/${agentId}`, { isPublic: false });
  await eventually(async () => expect(await inMarket()).toBe(404));
});

describe("webhooks from the terminal", () => {
  test("one that its receiver refuses is seen with each attempt and sent again, and shows its secret once", async () => {
    const { dev, dataDir } = remit;
    const run = commandsOf(dataDir, "webhooks");
    const url = `${dev.sandbox}/nobody`;
    const named = (name: string) =>
      run("create", "--url", url, "--events", "agent.*,mandate.revoked", "--name", name, "--json");
    // What a terminal would obey is no name.
    expect(await named("a\u202eb")).toMatchObject({ code: 1 });
    const made = await named("Nobody");
    expect(made).toMatchObject({ code: 0, object: { events: ["agent.*", "mandate.revoked"] } });
    expect(made.object["signingSecret"]).toMatch(/^whsec_/);
    const webhook = /whe_\w+/.exec(made.out)?.[0] ?? "";
    const failed = await run("test", webhook);
    expect(failed.code).toBe(1);
    expect(failed.out).toMatch(/: pending[^]*attempt 1 .* 404 in/);
    const delivery = /whd_\w+/.exec(failed.out)?.[0] ?? "";
    const logged = (await run("attempts", webhook, delivery, "--json")).object;
    expect(logged["log"]).toMatchObject([{ attempt: 1, request: { url }, response: { status: 404 } }]);
    expect((await run("deliveries", webhook, "--status", "pending")).out).toContain(delivery);
    expect((await run("replay", webhook, "--delivery", delivery)).out).toContain(
      `${delivery} (webhook.tested)`,
    );
    expect((await run("replay", webhook, "--since", "2026-01-01")).out).toContain("0 deliveries");
    expect((await run("rotate", webhook)).out).toMatch(/whsec_[^]*as well until/);
    const listed = (await run("list")).out;
    expect(listed).toContain(webhook);
    expect(listed).toContain("Nobody");
    expect(listed).not.toContain("whsec_");
  });

  test("a disabled one is told nothing until it is enabled, and a deleted one is not there", async () => {
    const { dev, dataDir } = remit;
    const run = commandsOf(dataDir, "webhooks");
    const made = await run("create", "--url", `${dev.sandbox}/health`, "--events", "*");
    expect(made.out).toContain("whsec_");
    const webhook = /whe_\w+/.exec(made.out)?.[0] ?? "";
    expect((await run("disable", webhook)).code).toBe(0);
    const off = await run("test", webhook);
    expect(off.code).toBe(1);
    expect(off.err).toContain("remit webhooks enable");
    expect((await run("enable", webhook)).out).toContain("is active");
    expect(await run("test", webhook)).toMatchObject({
      code: 0,
      out: expect.stringContaining(": delivered"),
    });
    expect((await run("delete", webhook)).code).toBe(0);
    const gone = await run("deliveries", webhook);
    expect(gone.code).toBe(1);
    expect(gone.err).toContain("remit webhooks list");
  });

  const delivery = newId("delivery");
  test.each([
    ["an id that is none", ["delete", ".."]],
    ["a replay of nothing", ["replay", newId("webhook")]],
    [
      "a replay of one and of a range",
      ["replay", newId("webhook"), "--delivery", delivery, "--since", "2026-01-01"],
    ],
    ["an address that nobody can call", ["create", "--url", "ftp://here", "--events", "*"]],
  ])("%s is wrong usage", async (_, words) => {
    expect((await commandsOf(remit.dataDir, "webhooks")(...words)).code).toBe(2);
  });
});

describe("selling from the terminal", () => {
  let upstream: Server;
  let url: string;
  beforeAll(async () => {
    upstream = createServer((req, res) => res.end(JSON.stringify({ asked: req.url })));
    await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
    // A server that listens on a port has an address of this shape.
    url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  });
  afterAll(() => void upstream.close());

  test("what one command puts up, an agent buys under its mandate; then it is repriced, stopped and taken off", async () => {
    const { dev, dataDir } = remit;
    const sell = commandsOf(dataDir, "sell");
    const words = ["http", "echo", "--upstream", url, "--no-watch", "--route", "path=/echo/*,methods=GET"];
    const made = await sell(...words, "--price", "1.25", "--currency", "usd", "--pay-with", "card,mandate");
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(made.out).toContain("paid by    card, mandate");
    const agent = agentOf(dev);
    await grant(dev, agent, { amount_minor: 500 });
    const bought = await agent.fetch(`${dev.gateway}/echo/one?x=1`);
    expect(await bought.response.json()).toEqual({ asked: "/echo/one?x=1" });
    expect((await sell("status", "echo", "--json")).object).toMatchObject({
      status: "live",
      requests: { unpaid: 1 },
      paid: [{ currency: "USD", payments: 1, amount_minor: 125 }],
      latest: [{ method: "GET", path: "/echo/*" }],
    });
    expect((await sell("probe", "echo")).code).toBe(0);
    expect((await sell("pricing", "echo", "--price", "2.00")).out).toContain("2.00 USD");
    expect((await agent.fetch(`${dev.gateway}/echo/two`)).offer?.amount_minor).toBe(200);
    expect((await sell("list")).out).toMatch(/echo .*2\.00 USD .*card,mandate/);
    expect((await sell("stop", "echo")).code).toBe(0);
    expect((await fetch(`${dev.gateway}/echo/one`)).status).toBe(404);
    expect((await sell("delete", "echo")).code).toBe(0);
    expect((await sell("info", "echo")).err).toContain("remit sell list");
  });

  test("G 0.05 is below what a card pays: it says so, and is sold without card", async () => {
    const { dev, dataDir } = remit;
    const sell = commandsOf(dataDir, "sell");
    const words = ["http", "cheap", "--upstream", url, "--no-watch", "--route", "path=/cheap"];
    const made = await sell(...words, "--price", "0.05", "--pay-with", "card,x402,mandate");
    expect(made.code).toBe(0);
    expect(made.out).toContain("Not sold by card: it needs at least 0.50 USD.");
    expect(made.out).toContain("paid by    x402, mandate");
    expect((await fetch(`${dev.gateway}/cheap`)).status).toBe(402);
  });

  test("a price by tokens is sold up to its ceiling, and says both", async () => {
    const sell = commandsOf(remit.dataDir, "sell");
    const words = ["inference", "llama", "--upstream", url, "--no-watch", "--model", "llama3"];
    const sold = await sell(...words, "--per-mtok", "0.50", "--ceiling", "2.00");
    expect(sold.code).toBe(0);
    expect((await sell("info", "llama")).out).toMatch(/2\.00[^]*0\.50|0\.50[^]*2\.00/);
    expect((await sell("delete", "llama")).code).toBe(0);
  });

  test("another host is another merchant: its own keys, its own offers under the same names, and it is paid at its own origin", async () => {
    const { dev, dataDir } = remit;
    const sell = commandsOf(dataDir, "sell");
    const words = [
      "http",
      "twin",
      "--upstream",
      url,
      "--no-watch",
      "--route",
      "path=/twin",
      "--price",
      "1.00",
    ];
    expect((await sell(...words)).code).toBe(0);
    const there = await sell(
      ...words,
      "--hostname",
      "shop.localhost",
      "--pay-with",
      "card,mandate",
      "--json",
    );
    const origin = `http://shop.localhost:${new URL(dev.gateway).port}`;
    expect(there).toMatchObject({ code: 0, err: "", object: { name: "twin", origin, status: "live" } });
    expect(there.object["merchant"]).not.toBe(dev.merchant.id);
    // Said again, it is the same merchant and the same offer, at its new price.
    const again = await sell(...words, "--hostname", "shop.localhost", "--price", "1.50", "--json");
    expect(again.object).toMatchObject({ id: there.object["id"], merchant: there.object["merchant"] });
    const id = String(Object(there.object)["id"]);
    expect((await sell("probe", id)).code).toBe(0);
    expect((await sell("status", "twin")).err).toContain("several merchants sell something named twin");

    const agent = agentOf(dev, toThisMachine);
    await grant(dev, agent, { amount_minor: 300, merchants: [origin] });
    const bought = await agent.fetch(`${origin}/twin`);
    expect([bought.response.status, bought.offer]).toMatchObject([
      200,
      { amount_minor: 150, merchant_origin: origin, merchant: there.object["merchant"] },
    ]);
    expect((await sell("status", id, "--json")).object).toMatchObject({
      paid: [{ currency: "USD", payments: 1, amount_minor: 150 }],
    });
    const keysAt = async (at: string): Promise<unknown> =>
      (await toThisMachine(`${at}/.well-known/jwks.json`)).json();
    expect(await keysAt(origin)).not.toEqual(await keysAt(dev.gateway));
    // What one merchant was offered buys nothing of the other's.
    await expect(agent.fetch(`${dev.gateway}/twin`)).rejects.toMatchObject({ code: expect.any(String) });
  });

  test("a merchant's own server is let in by its client's keys, and asks for one price by every rail", async () => {
    const { issuer, gateway, merchant } = remit.dev;
    const { client_id: clientId, assertion_jwk: assertion, dpop_jwk: dpop } = merchant;
    const paywall = createGatewayPaywall({
      issuer,
      gateway,
      clientId,
      origin: merchant.origin,
      keys: { assertion, dpop },
    });
    const sale = {
      name: "Own",
      sku: "own",
      amountMinor: 500,
      currency: "USD",
      payWith: ["card", "x402", "mandate"] as const,
      card: { networkId: sandboxSeller.networkId },
      x402: { chain: "base-sepolia", payTo: sandboxSeller.payTo },
    };
    const url = `${merchant.origin}/own`;
    const entered = await paywall.enter({ sale, method: "GET", url, headers: [], body: new Uint8Array() });
    if (entered.kind !== "answer") throw new TypeError("nobody has paid");
    expect(entered.answer.status).toBe(402);
    const [, required = ""] = entered.answer.headers.find(([name]) => /^payment-required$/i.test(name)) ?? [];
    const schemes = parsePaymentRequired(required).accepts.map(({ scheme }) => scheme);
    expect(schemes).toEqual(expect.arrayContaining(["exact", "mandate"]));
  });

  test("the same requests are not sold twice, and the seller hears by whom they are", async () => {
    const sell = commandsOf(remit.dataDir, "sell");
    const words = ["http", "rival", "--upstream", url, "--no-watch", "--price", "1.00"];
    const refused = await sell(...words, "--route", "path=/demo/report,methods=GET");
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("is sold already, by market-report");
  });

  test.each([
    ["no upstream", ["http", "--price", "1"]],
    ["an upstream with a path", ["http", "--upstream", "http://localhost:9000/api", "--price", "1"]],
    ["a price in words", ["http", "--upstream", "http://localhost:9000", "--price", "cheap"]],
    ["a rail nobody has", ["http", "--upstream", "http://localhost:9000", "--pay-with", "cash"]],
    ["a route without a path", ["http", "--upstream", "http://localhost:9000", "--route", "price=1"]],
    [
      "a host that is an address",
      ["http", "--upstream", "http://localhost:9000", "--price", "1", "--hostname", "10.0.0.1"],
    ],
    ["two prices", ["http", "--upstream", "http://localhost:9000", "--price", "1", "--per-mtok", "1"]],
  ])("%s is wrong usage", async (_, words) => {
    expect((await commandsOf(remit.dataDir, "sell")(...words)).code).toBe(2);
  });
});
