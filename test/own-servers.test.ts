import { after, minuteMs, newId, Secret, toNumericDate } from "@remit/kernel";
import { createGatewayPaywall, type Entered, type Paywall } from "@remit/merchant";
import { parsePaymentRequired, parseSettleResponse, publicJwkOf } from "@remit/protocol";
import { generateJwk, randomText, signJws, thumbprint, verifyMerchantReceipt } from "@remit/protocol/node";
import {
  eventually,
  freePort,
  type SandboxChain,
  sandboxAddresses,
  sandboxKeys,
  type TestSandbox,
  testChain,
  testSandbox,
} from "@remit/testkit";
import { generatePrivateKey, privateKeyToAccount } from "viem/accounts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type Handler, type Running, type Sold, servers } from "../packages/merchant/test/paywall-servers.ts";
import {
  challengeFor,
  entryFor,
  type Headers,
  mpp,
  network,
  transfer,
  version2,
} from "../services/gateway/test/payers.ts";
import {
  type Answer,
  type Ask,
  clientId,
  createAgent,
  origin,
  send,
  startWorld,
  type World,
} from "../services/gateway/test/world.ts";

// A merchant's own server before its handlers: the money is asked for, claimed, taken and journalled at a real gateway, with
// a real chain and a sandbox of Stripe's; the goods are made here.

let world: World;
let sandbox: TestSandbox;
let chain: SandboxChain;
let gateway: string;
let known: string[] = [];
let before: bigint;
const dpop = generateJwk("ES256");
const keys = { assertion: generateJwk("ES256"), dpop };

beforeAll(async () => {
  [sandbox, chain] = await Promise.all([testSandbox(), testChain()]);
  const port = await freePort();
  gateway = `http://127.0.0.1:${port}`;
  const chains = {
    rpcUrls: { [network]: chain.rpc },
    facilitatorKey: new Secret(sandboxKeys.facilitator),
  };
  world = await startWorld({
    realTime: true,
    payments: { stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin } },
    more: { chains, origin: gateway, port },
  });
});
afterAll(async () => {
  await world.close();
  await Promise.all([sandbox.close(), chain.stop()]);
});
beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  await world.database.asAdmin(`truncate ${world.database.schema}.settlement_failures`);
  world.issuer.charges.clear();
  known = (await sandbox.paymentIntents()).map(({ id }) => id);
  before = await balance();
  ran.length = 0;
});

/** A merchant's token for the gateway, as the authorization server gives it. */
const tokenFor = (client: string = clientId, scope = "charges:write"): string =>
  signJws(
    world.issuer.key,
    { typ: "at+jwt" },
    {
      iss: world.issuer.origin,
      sub: client,
      aud: gateway,
      client_id: client,
      jti: randomText(),
      iat: toNumericDate(world.clock.now()),
      exp: toNumericDate(after(world.clock.now(), 5 * minuteMs)),
      scope,
      organization_id: world.tenant,
      livemode: false,
      cnf: { jkt: thumbprint(dpop) },
    },
  );

const paywallOf = (how: { client?: string; scope?: string } = {}): Paywall =>
  createGatewayPaywall({
    gateway,
    issuer: world.issuer.origin,
    clientId,
    origin,
    keys,
    clock: world.clock,
    fetch: (url, init) =>
      url === `${world.issuer.origin}/oauth/token`
        ? Promise.resolve(
            Response.json({
              access_token: tokenFor(how.client, how.scope),
              token_type: "DPoP",
              expires_in: 300,
            }),
          )
        : fetch(url, init),
  });

const sale = (sku: string) => ({
  name: `The ${sku}`,
  sku,
  amountMinor: 1000,
  currency: "USD",
  serveByS: 30,
  payWith: ["card", "x402", "mandate"] as const,
  card: { networkId: "profile_shop" },
  x402: { chain: "base-sepolia", payTo: sandboxAddresses.seller },
});

type Run = { readonly sku: string; readonly body: string };
const ran: Run[] = [];
const sells = (sku: string, goods: ReturnType<Handler>, method: "GET" | "POST" = "GET"): Sold => ({
  method,
  path: `/${sku}`,
  sale: sale(sku),
  handler: ({ body }) => {
    ran.push({ sku, body });
    return goods;
  },
});

const forged = { "remit-receipt": "forged", "payment-receipt": "forged", "x-own": "kept" };
const shop = (): Sold[] => [
  sells("report", {
    status: 200,
    headers: { "content-type": "text/plain", ...forged },
    parts: ["the ", "report"],
  }),
  sells("sibling", { status: 200, parts: ["another"] }),
  sells("query", { status: 201, parts: ["the answer"] }, "POST"),
  sells("broken", { status: 503, parts: ["out of order"] }),
];

async function balance(): Promise<bigint> {
  const data = `0x70a08231${sandboxAddresses.seller.slice(2).padStart(64, "0")}`; // balanceOf(address)
  return BigInt(String(await chain.call("eth_call", [{ to: chain.usdc, data }, "latest"])));
}

/** What has really been taken since the test began, in cents by each rail, and what is still held. */
async function moved(): Promise<{ card: number[]; x402: number; mandate: number; held: number }> {
  const intents = (await sandbox.paymentIntents()).filter(({ id }) => !known.includes(id));
  const charges = [...world.issuer.charges.values()];
  return {
    card: intents
      .filter(({ status }) => status === "succeeded")
      .map(({ amount_received }) => amount_received),
    x402: Number((await balance()) - before) / 10_000,
    mandate: charges.filter(({ status }) => status === "captured").length,
    held:
      intents.filter(({ status }) => !["succeeded", "canceled"].includes(status)).length +
      charges.filter(({ status }) => !["captured", "released"].includes(status)).length,
  };
}
const nothing = { card: [], x402: 0, mandate: 0, held: 0 };

type Pay = (unpaid: Answer) => Promise<Headers>;
const byCard: Pay = async (unpaid) =>
  mpp(challengeFor(unpaid, "stripe"), { spt: await sandbox.token({ amount: 1000 }) });
const byTransfer: Pay = async (unpaid) => version2(entryFor(unpaid, "exact"), await transfer());
const named: Pay = async (unpaid) =>
  version2(entryFor(unpaid, "exact"), await transfer(), `pay_${randomText()}`);
const byMandate: Pay = (unpaid) => {
  const agent = createAgent(world);
  const entry = entryFor(unpaid, "mandate");
  return Promise.resolve(version2(entry, { ...agentPayload(agent.present(entry)) }));
};
const agentPayload = ({ presentation, accessToken }: { presentation: string; accessToken: string }) => ({
  presentation,
  access_token: accessToken,
});

const rails: readonly [string, Pay, object][] = [
  ["card", byCard, { card: [1000] }],
  ["x402", named, { x402: 1000 }],
  ["mandate", byMandate, { mandate: 1 }],
];

describe.each(servers)("a gateway's paywall inside %s", (_name, start) => {
  let running: Running;
  const ask = (target: string, more: Ask = {}): Promise<Answer> => send(running.address, target, more);
  const buy = async (target: string, pay: Pay): Promise<{ answer: Answer; headers: Headers }> => {
    const headers = await pay(await ask(target));
    return { headers, answer: await ask(target, { headers }) };
  };

  beforeAll(async () => {
    running = await start(paywallOf(), shop());
  });
  afterAll(() => running.close());

  test("asks for one price by every rail, and runs nothing for nobody", async () => {
    const unpaid = await ask("/report");
    expect(unpaid.status).toBe(402);
    const { accepts, resource } = parsePaymentRequired(String(unpaid.headers["payment-required"]));
    expect(accepts.map(({ scheme }) => scheme)).toEqual(expect.arrayContaining(["exact", "mandate"]));
    expect(resource?.url).toBe(`${origin}/report`);
    for (const method of ["stripe", "evm", "oid4ac"])
      expect(challengeFor(unpaid, method).method).toBe(method);
    expect((await ask("/report", { method: "HEAD" })).status).toBe(402);
    expect(ran).toEqual([]);
  });

  test.each(rails)(
    "M 2 by %s it is paid once, made once, and found again by who paid",
    async (rail, pay, taken) => {
      const { answer, headers } = await buy("/report", pay);
      expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
      expect(answer.headers).toMatchObject({ "x-own": "kept", "cache-control": "private" });
      const receipt = String(answer.headers["remit-receipt"]);
      if (rail === "mandate") expect(receipt).toMatch(/^eyJ\.chg_/);
      else
        expect(verifyMerchantReceipt(receipt, { keys: [publicJwkOf(world.offerKey)], origin })).toMatchObject(
          { amount_minor: 1000, rail },
        );
      expect(parseSettleResponse(String(answer.headers["payment-response"])).success).toBe(true);
      const again = await ask("/report", { headers });
      expect([again.status, again.body.toString(), again.headers["idempotent-replayed"]]).toEqual([
        200,
        "the report",
        "true",
      ]);
      expect(ran).toHaveLength(1);
      expect(await moved()).toEqual({ ...nothing, ...taken });
    },
  );

  test("M06 what the handler refuses is not paid, and nothing stays held", async () => {
    const { answer } = await buy("/broken", byCard);
    expect([answer.status, answer.body.toString()]).toEqual([503, "out of order"]);
    expect(answer.headers).not.toHaveProperty("payment-receipt");
    expect(ran).toHaveLength(1);
    expect(await moved()).toEqual(nothing);
  });

  test("M01 a body is bound to what is paid, and reaches the handler", async () => {
    const asked = {
      method: "POST",
      body: '{"a":1}',
      headers: { "content-type": "application/json" },
    } as const;
    const headers = { ...asked.headers, ...(await byCard(await ask("/query", asked))) };
    const answer = await ask("/query", { ...asked, headers });
    expect([answer.status, answer.body.toString()]).toEqual([201, "the answer"]);
    expect(ran).toEqual([{ sku: "query", body: '{"a":1}' }]);
  });
});

describe("whatever server it is", () => {
  let running: Running;
  const ask = (target: string, more: Ask = {}): Promise<Answer> => send(running.address, target, more);
  beforeAll(async () => {
    const [last] = servers.slice(-1);
    if (last === undefined) throw new TypeError("there are servers");
    running = await last[1](paywallOf(), shop());
  });
  afterAll(() => running.close());

  test("C04 a transfer that anybody can read on the chain buys nobody a second answer", async () => {
    const headers = await byTransfer(await ask("/report"));
    expect((await ask("/report", { headers })).status).toBe(200);
    const copied = await ask("/report", { headers });
    expect(copied.status).toBe(409);
    expect(copied.body.toString()).not.toContain("the report");
    expect(ran).toHaveLength(1);
  });

  test("C05 a payment for a sibling of the same price, or for another body, is refused before anything runs", async () => {
    for (const [, pay] of rails) {
      const headers = await pay(await ask("/report"));
      expect((await ask("/sibling", { headers })).status).toBe(402);
      const forQuery = await pay(await ask("/query", { method: "POST", body: '{"a":1}' }));
      expect((await ask("/query", { method: "POST", body: '{"a":2}', headers: forQuery })).status).toBe(402);
    }
    expect(ran).toEqual([]);
    expect(await moved()).toEqual(nothing);
  });

  test("C03 of twenty requests at once with one token the handler runs for one, and the others get its answer or a conflict", async () => {
    const headers = await byCard(await ask("/report"));
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask("/report", { headers })));
    // 503 where a machine stood still for so long that a call was given up.
    for (const { status, body } of answers) {
      expect([200, 409, 503]).toContain(status);
      expect(body.toString().includes("the report")).toBe(status === 200);
    }
    expect(ran).toHaveLength(1);
    expect(await moved()).toEqual({ ...nothing, card: [1000] });
  });
});

type Served = Extract<Entered, { kind: "serve" }>;
type Made = Awaited<ReturnType<Served["finish"]>>;

describe("between the hold and the goods", () => {
  const at = (sku: string, headers: Headers = {}) => ({
    sale: sale(sku),
    method: "GET",
    url: `${origin}/${sku}`,
    headers: Object.entries(headers),
    body: new Uint8Array(),
  });
  const goods = { status: 200, headers: [["x-own", "kept"]] as const, body: Buffer.from("the report") };
  const answerIn = (entered: Entered): Made => {
    if (entered.kind === "serve") throw new TypeError("it is being served");
    return entered.answer;
  };
  const unpaidOf = async (): Promise<Answer> => {
    const { status, headers, body } = answerIn(await paywallOf().enter(at("report")));
    const byName = Map.groupBy(headers, ([name]) => name.toLowerCase());
    const named = [...byName].map(([name, pairs]) => [name, pairs.map(([, value]) => value)]);
    return { status, headers: Object.fromEntries(named), body: Buffer.from(body) };
  };
  /** A payment that is held, while its handler works. */
  const held = async (pay: Pay): Promise<{ entered: Served; headers: Headers }> => {
    const headers = await pay(await unpaidOf());
    const entered = await paywallOf().enter(at("report", headers));
    if (entered.kind !== "serve") throw new TypeError(textOf(entered.answer));
    return { entered, headers };
  };
  const textOf = ({ body }: Made): string => Buffer.from(body).toString();
  const codeOf = (answer: Made): unknown => Object(JSON.parse(textOf(answer)))["code"];

  test.each(rails)(
    "M03 a gateway that is started anew meanwhile takes the goods, and the money by %s, once",
    async (_, pay, taken) => {
      const { entered } = await held(pay);
      await world.restart();
      const paid = await entered.finish(goods);
      expect([paid.status, textOf(paid)]).toEqual([200, "the report"]);
      expect(await moved()).toEqual({ ...nothing, ...taken });
      // Brought twice: what became of it, and no second movement.
      const again = await entered.finish({ ...goods, body: Buffer.from("another") });
      expect([again.status, textOf(again)]).toEqual([200, "the report"]);
      expect(await moved()).toEqual({ ...nothing, ...taken });
    },
  );

  test("M04 goods that are brought by two at once are paid once, and both hear of one answer", async () => {
    const { entered } = await held(byCard);
    const other = { ...goods, body: Buffer.from("another") };
    const both = await Promise.all([entered.finish(goods), entered.finish(other)]);
    const delivered = both.filter(({ status }) => status === 200).map(textOf);
    expect(new Set(delivered).size).toBe(1);
    for (const { status } of both) expect([200, 409]).toContain(status);
    expect(await moved()).toEqual({ ...nothing, card: [1000] });
  });

  test("M16 money that is gone once it is served: nothing of the goods leaves", async () => {
    const key = generatePrivateKey();
    const owner = privateKeyToAccount(key).address;
    await chain.mint(owner, 10_000_000n);
    const { entered } = await held(async (unpaid) =>
      version2(entryFor(unpaid, "exact"), await transfer({ key })),
    );
    await chain.call("anvil_setBalance", [owner, "0xde0b6b3a7640000"]);
    await chain.call("anvil_impersonateAccount", [owner]);
    const word = (value: string): string => value.padStart(64, "0");
    const data = `0xa9059cbb${word("e1".repeat(20))}${word((10_000_000).toString(16))}`; // transfer(address,uint256)
    await chain.call("eth_sendTransaction", [{ from: owner, to: chain.usdc, data }]);
    const refused = await entered.finish(goods);
    expect(refused.status).toBe(402);
    expect(textOf(refused)).not.toContain("the report");
    expect(await moved()).toEqual(nothing);
  });

  test("M05 a shop that never brings the goods is paid nothing, and brings them too late in vain", async () => {
    const { entered } = await held(byCard);
    world.clock.advance(minuteMs);
    await world.restart();
    await eventually(async () => expect(await moved()).toEqual(nothing));
    const late = await entered.finish(goods);
    expect([late.status, codeOf(late)]).toEqual([402, "payment_declined"]);
    expect(await moved()).toEqual(nothing);
  });

  test("a gateway that does not answer asks nobody for money, and lets none of the goods out", async () => {
    const headers = await byCard(await unpaidOf());
    const { entered } = await held(byCard);
    await world.gateway.close();
    const unasked = answerIn(await paywallOf().enter(at("report", headers)));
    for (const refused of [unasked, await entered.finish(goods)]) {
      expect(refused.status).toBe(503);
      expect(textOf(refused)).not.toContain("the report");
    }
    await world.restart();
    expect((await entered.finish(goods)).status).toBe(200);
    expect(await moved()).toEqual({ ...nothing, card: [1000] });
  });

  test("T02 a stranger's client, an agent's token and another address get nothing asked or taken in this merchant's name", async () => {
    const { headers } = await held(byCard);
    for (const how of [{ client: newId("client") }, { scope: "oid4ac:payment" }])
      expect(answerIn(await paywallOf(how).enter(at("report", headers))).status).toBe(503);
    const elsewhere = { ...at("report"), url: "http://other.test/report" };
    expect(answerIn(await paywallOf().enter(elsewhere)).status).toBe(503);
    const cheap = { ...sale("cheap"), amountMinor: 5, payWith: ["card"] as const };
    await expect(paywallOf().enter({ ...at("cheap"), sale: cheap })).rejects.toThrow(
      "needs at least 0.50 USD",
    );
    const { card: _, ...cardless } = sale("cardless");
    await expect(paywallOf().enter({ ...at("cardless"), sale: cardless })).rejects.toThrow("card.network_id");
  });
});
