import { dayMs, minuteMs, newId, secondMs } from "@remit/kernel";
import { parseChallenges, parseReceipt } from "@remit/protocol";
import { type TestSandbox, testSandbox } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { cardWay, challengeFor, entryFor, mpp, transferWay, version2 } from "./payers.ts";
import { type Answer, createAgent, merchantId, startWorld, type World } from "./world.ts";

// What a 402 says to whom, and what of it a payer may say in other words.
let world: World;
let sandbox: TestSandbox;

beforeAll(async () => {
  sandbox = await testSandbox();
  world = await startWorld({
    payments: { stripe: { secret_key: sandbox.stripe.apiKey, origin: sandbox.origin } },
    ways: [{ rail: "mandate" }, cardWay, transferWay],
  });
  const free = { id: "open", merchant: merchantId, method: "GET", path: "/open", gate: "free" };
  await world.writeOffers({
    more: [{ ...free, upstream: world.upstream.origin, name: "open", sku: "open" }],
  });
  await world.gateway.reload();
});

afterAll(async () => {
  await world.close();
  await sandbox.close();
});

beforeEach(() => {
  world.upstream.answer = (_, res) => void res.end("the report");
});

const page = { origin: "https://page.test" };
const methodsOf = ({ headers }: Answer): string[] =>
  parseChallenges([headers["www-authenticate"] ?? ""].flat()).map(({ method }) => method);

describe("a script of another origin", () => {
  const preflight = (path: string, more: object = {}) =>
    world.ask(path, {
      method: "OPTIONS",
      headers: {
        ...page,
        "access-control-request-method": "GET",
        "access-control-request-headers": "payment-signature",
        ...more,
      },
    });

  test("may ask, pay, and read what it must", async () => {
    const asked = await preflight("/demo/report");
    expect(asked.status).toBe(204);
    expect(asked.headers).toMatchObject({
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET",
      "access-control-allow-headers": expect.stringContaining("PAYMENT-SIGNATURE"),
    });
    const unpaid = await world.ask("/demo/report", { headers: page });
    expect(unpaid.status).toBe(402);
    const readable = {
      "access-control-allow-origin": "*",
      "access-control-expose-headers": expect.stringContaining("PAYMENT-REQUIRED"),
    };
    expect(unpaid.headers).toMatchObject(readable);
    const headers = { ...page, ...createAgent(world).pay(unpaid) };
    expect((await world.ask("/demo/report", { headers })).headers).toMatchObject(readable);
    const conflict = await world.ask("/demo/other", { headers });
    expect(conflict.status).toBeGreaterThanOrEqual(400);
    expect(conflict.headers).toMatchObject(readable);
    expect(conflict.headers).not.toHaveProperty("access-control-allow-credentials");
  });

  test("hears the upstream's own word on what is paid for, and on what is free", async () => {
    world.upstream.answer = (_, res) => {
      res.setHeader("access-control-allow-origin", "https://page.test");
      res.end("the report");
    };
    const headers = {
      ...page,
      ...createAgent(world).pay(await world.ask("/demo/report", { headers: page })),
    };
    const paid = await world.ask("/demo/report", { headers });
    expect([paid.status, paid.headers["access-control-allow-origin"]]).toEqual([200, "https://page.test"]);
    expect((await world.ask("/open", { headers: page })).headers["access-control-allow-origin"]).toBe(
      "https://page.test",
    );
  });

  test.each([
    ["an address that is not sold", "/nothing", {}],
    ["a method that is not sold", "/demo/report", { "access-control-request-method": "DELETE" }],
  ])("is told nothing of %s", async (_, path, more) => {
    const answer = await preflight(path, more);
    expect(answer.status).toBeGreaterThanOrEqual(404);
    expect(answer.headers).not.toHaveProperty("access-control-allow-methods");
  });

  test("is none without an Origin", async () => {
    expect((await world.ask("/demo/report")).headers).not.toHaveProperty("access-control-allow-origin");
    const plain = await world.ask("/demo/report", {
      method: "OPTIONS",
      headers: { "access-control-request-method": "GET" },
    });
    expect(plain.status).toBe(405);
  });
});

describe("Accept-Payment", () => {
  test.each([
    ["stripe/charge", ["stripe"]],
    ["evm/charge;q=0.2, stripe/charge;q=0.9, oid4ac/charge;q=0.5", ["stripe", "oid4ac", "evm"]],
    ["*/charge;q=0.1, evm/*", ["evm", "oid4ac", "stripe"]],
    ["*/*;q=0.5, stripe/charge;q=0", ["oid4ac", "evm"]],
    ["tempo/session", ["oid4ac", "stripe", "evm"]],
    ["nonsense, stripe/charge;q=2, ;;", ["oid4ac", "stripe", "evm"]],
  ])("%s is answered with %j", async (accept, expected) => {
    const unpaid = await world.ask("/demo/report", { headers: { "accept-payment": accept } });
    expect(methodsOf(unpaid)).toEqual(expected);
    expect(unpaid.headers["vary"]).toContain("Accept-Payment");
  });
});

describe("a payment by card", () => {
  test("is receipted under the name that the payer gave it", async () => {
    const unpaid = await world.ask("/demo/report");
    const spt = await sandbox.token({ amount: 1000 });
    const headers = mpp(challengeFor(unpaid, "stripe"), { spt, externalId: "order-7" });
    const paid = await world.ask("/demo/report", { headers });
    expect(parseReceipt(String(paid.headers["payment-receipt"]))).toMatchObject({
      method: "stripe",
      externalId: "order-7",
    });
  });

  test.each([
    ["card", "spt", "4242 4242 4242 4242"],
    ["auth-capture", "token", "4242424242424242"],
    ["auth-capture", "token", "378282246310005"],
  ])(
    "by %s with a card's number in %s is refused, and the number goes nowhere",
    async (scheme, member, number) => {
      const entry = entryFor(await world.ask("/demo/report"), scheme);
      const before = (await sandbox.paymentIntents()).length;
      const answer = await world.ask("/demo/report", {
        headers: version2(entry, { [member]: number, paymentId: newId("request") }),
      });
      expect([answer.status, JSON.parse(answer.body.toString()).detail]).toEqual([
        400,
        "A card number is no payment token. Never send one.",
      ]);
      expect(answer.body.toString()).not.toContain(number);
      expect((await sandbox.paymentIntents()).length).toBe(before);
    },
  );
});

describe("the secret of challenges and nonces", () => {
  test.each([
    ["midnight", 0],
    ["noon", dayMs / 2],
  ])("changes at %s under nobody's feet, and a challenge ends when it says", async (_, at) => {
    const { clock } = world;
    const now = clock.now();
    const next = Math.floor(now / dayMs) * dayMs + at;
    clock.advance((next <= now ? next + dayMs : next) - now - 30 * secondMs);
    const agent = createAgent(world);
    const unpaid = await world.ask("/demo/report");
    const late = await world.ask("/demo/other");
    clock.advance(minuteMs);
    const { headers } = agent.payChallenge(unpaid);
    expect((await world.ask("/demo/report", { headers })).status).toBe(200);
    clock.advance(5 * minuteMs);
    const expired = await world.ask("/demo/other", { headers: agent.payChallenge(late).headers });
    expect(expired.status).toBe(402);
  });
});
