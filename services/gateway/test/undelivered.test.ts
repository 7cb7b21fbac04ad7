import { minuteMs, newId, secondMs } from "@remit/kernel";
import { setFailpoint } from "@remit/platform/failpoint";
import { parsePaymentRequired, parseSettleResponse, publicJwkOf } from "@remit/protocol";
import { verifyMerchantReceipt } from "@remit/protocol/node";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { challengeFor, type Headers, mpp, payByTransfer, payer, signIn } from "./payers.ts";
import { type RailsWorld, startRailsWorld } from "./rails.ts";
import { type Answer, origin, send } from "./world.ts";

let world: RailsWorld;
let moved = 0;

beforeAll(async () => {
  world = await startRailsWorld();
});

afterAll(async () => {
  await world.close();
});

async function clean(): Promise<void> {
  await world.database.asAdmin(
    `truncate ${world.database.schema}.claims, ${world.database.schema}.settlement_failures cascade`,
  );
  await world.sandbox.heal();
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("the report");
  moved = await world.transfers();
}

const settledSince = async (): Promise<number> => (await world.transfers()) - moved;
const payByCard = async (unpaid: Answer): Promise<Headers> =>
  mpp(challengeFor(unpaid, "stripe"), { spt: await world.sandbox.token({ amount: 1000 }) });
const open = ["requires_capture", "requires_confirmation", "requires_action", "processing"];

/** Nothing was charged and nothing is held, at any rail. */
async function nothingTaken(): Promise<void> {
  expect(await settledSince()).toBe(0);
  const intents = await world.sandbox.paymentIntents();
  expect(intents.filter(({ status }) => open.includes(status))).toEqual([]);
  const known = new Set(taken);
  expect(intents.filter(({ id, status }) => status === "succeeded" && !known.has(id))).toEqual([]);
}
const taken: string[] = [];
const noteTaken = async (): Promise<void> => {
  const intents = await world.sandbox.paymentIntents({ status: "succeeded" });
  taken.push(...intents.map(({ id }) => id));
};

const rails = [
  ["a transfer", (unpaid: Answer) => payByTransfer(unpaid, newId("request"))],
  ["a card", payByCard],
] as const;

const troubles: readonly [string, (world: RailsWorld) => void, number][] = [
  ["500", ({ upstream }) => void (upstream.answer = (_, res) => void res.writeHead(500).end("broken")), 500],
  ["404", ({ upstream }) => void (upstream.answer = (_, res) => void res.writeHead(404).end("none")), 404],
  ["reset", ({ upstream }) => void (upstream.answer = (req) => void req.socket.destroy()), 502],
  [
    "half a body",
    ({ upstream }) =>
      void (upstream.answer = (req, res) => {
        res.writeHead(200, { "content-length": "100" });
        res.write("half", () => req.socket.destroy());
      }),
    502,
  ],
];

describe("who is served and does not pay", () => {
  beforeEach(clean);

  const word = (value: string): string => value.replace(/^0x/, "").toLowerCase().padStart(64, "0");
  const balance = async (): Promise<string> =>
    String(
      await world.chain.call("eth_call", [
        { to: world.chain.usdc, data: `0x70a08231${word(payer)}` },
        "latest",
      ]),
    );
  /** Moves coins as their owner would who has signed more than there is. */
  const move = async (from: string, to: string, amount: string): Promise<void> => {
    await world.chain.call("anvil_setBalance", [from, "0xde0b6b3a7640000"]);
    await world.chain.call("anvil_impersonateAccount", [from]);
    const data = `0xa9059cbb${word(to)}${word(amount)}`;
    await world.chain.call("eth_sendTransaction", [{ from, to: world.chain.usdc, data }]);
  };
  const elsewhere = `0x${"e1".repeat(20)}`;

  /** A purchase whose money is gone once it has been served. */
  async function cheat(address = world.address): Promise<number> {
    const headers = await payByTransfer(await send(address, "/demo/report", {}));
    const all = await balance();
    world.upstream.answer = (_, res) => void move(payer, elsewhere, all).then(() => res.end("the report"));
    const { status, body } = await send(address, "/demo/report", { headers });
    expect(body.toString()).not.toContain("the report");
    await move(elsewhere, payer, all);
    world.upstream.answer = (_, res) => void res.end("the report");
    return status;
  }

  test("V12 after three transfers that could not be settled a payer pays first for a day, on every replica", async () => {
    const replica = await world.replica();
    const counts = [await cheat(), await cheat(replica)];
    // Two are no habit: it is served first as before, and has to name nothing.
    const third = await payByTransfer(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers: third })).status).toBe(200);
    expect([...counts, await cheat()]).toEqual([402, 402, 402]);
    const served = world.upstream.requests.length;
    for (const address of [world.address, replica]) {
      const unnamed = await payByTransfer(await send(address, "/demo/report", {}));
      const refused = await send(address, "/demo/report", { headers: unnamed });
      expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([
        400,
        "payment_identifier_required",
      ]);
    }
    expect(world.upstream.requests).toHaveLength(served);
    const named = await payByTransfer(await world.ask("/demo/report"), newId("request"));
    let moneyFirst = -1;
    world.upstream.answer = (_, res) =>
      void settledSince().then((count) => {
        moneyFirst = count;
        res.end("the report");
      });
    expect((await world.ask("/demo/report", { headers: named })).status).toBe(200);
    expect(moneyFirst).toBe(2);
    // Nobody else pays first for it.
    const card = await payByCard(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers: card })).status).toBe(200);
    const [row] = await world.database.asAdmin(
      `select before_until from ${world.database.schema}.settlement_failures`,
    );
    const leftMs = Date.parse(String(row?.["before_until"])) - world.clock.now();
    expect(leftMs).toBeGreaterThan(23 * 60 * minuteMs);
    expect(leftMs).toBeLessThanOrEqual(24 * 60 * minuteMs);
  });
});

describe.each(rails)("what is not delivered is not charged, by %s", (_, pay) => {
  beforeEach(clean);

  test.each(troubles)("M11 an upstream's %s", async (__, breakIt, status) => {
    await noteTaken();
    const headers = await pay(await world.ask("/demo/report"));
    breakIt(world);
    const answer = await world.ask("/demo/report", { headers });
    expect(answer.status).toBe(status);
    for (const name of ["payment-receipt", "payment-response", "x-payment-response", "remit-receipt"])
      expect(answer.headers).not.toHaveProperty(name);
    await nothingTaken();
    expect(await world.claims()).toMatchObject([{ state: "released", sealed_order: null }]);
    // The same credential may try again, and is charged once.
    world.upstream.answer = (__, res) => void res.end("the report");
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(await world.claims()).toMatchObject([{ state: "captured", attempt: 2 }]);
  });
});

test("M12 an upstream that hangs is given up, by every rail", async () => {
  await clean();
  await noteTaken();
  await world.writeOffers({ route: { upstream_timeout_s: 1 } });
  await world.gateway.reload();
  world.upstream.answer = () => undefined;
  const answers = rails.map(async ([, pay]) => {
    const headers = await pay(await world.ask("/demo/report"));
    return (await world.ask("/demo/report", { headers })).status;
  });
  expect(await Promise.all(answers)).toEqual([504, 504]);
  await nothingTaken();
  await world.writeOffers();
  await world.gateway.reload();
});

test("M15 a hold that has run out at the card network while the upstream worked takes nothing and delivers nothing", async () => {
  await clean();
  await noteTaken();
  const headers = await payByCard(await world.ask("/demo/report"));
  const runOut = async (): Promise<void> => {
    const [intent] = await world.sandbox.paymentIntents({ status: "requires_capture" });
    const bearer = { authorization: `Bearer ${world.sandbox.stripe.apiKey}` };
    const ended = await fetch(`${world.sandbox.origin}/v1/payment_intents/${intent?.id}/cancel`, {
      method: "POST",
      headers: bearer,
    });
    expect(ended.status).toBe(200);
  };
  world.upstream.answer = (_, res) => void runOut().finally(() => res.end("the report"));
  const answer = await world.ask("/demo/report", { headers });
  expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([
    402,
    { code: "payment_declined" },
  ]);
  expect(answer.body.toString()).not.toContain("the report");
  await nothingTaken();
  expect(await world.claims()).toMatchObject([{ state: "released", sealed_order: null }]);
});

describe("paid before it is served", () => {
  beforeEach(clean);

  test.each(rails)(
    "by %s, a failure leaves a credit that is redeemed once and paid once",
    async (what, pay) => {
      await noteTaken();
      await world.writeOffers({ route: { settle: "before" } });
      await world.gateway.reload();
      const headers = await pay(await world.ask("/demo/report"));
      world.upstream.answer = (_, res) => void res.writeHead(500).end("broken");
      const failed = await world.ask("/demo/report", { headers });
      expect([failed.status, failed.body.toString()]).toEqual([500, "broken"]);
      // Whoever has paid is told so, and has no reason to pay again.
      const settled = parseSettleResponse(String(failed.headers["payment-response"]));
      expect(settled.success).toBe(true);
      expect(JSON.stringify(settled.extensions)).toContain("a credit stands");
      const receipt = verifyMerchantReceipt(String(failed.headers["remit-receipt"]), {
        origin,
        keys: [publicJwkOf(world.offerKey)],
      });
      expect(receipt).toMatchObject({ amount_minor: 1000, payment_reference: settled.transaction });
      expect(failed.headers["remit-credit"]).toBe("true");
      expect(failed.headers).not.toHaveProperty("payment-receipt");
      expect(await world.claims()).toMatchObject([{ state: "owed" }]);
      world.upstream.answer = (req) => void req.socket.destroy();
      const gone = await world.ask("/demo/report", { headers });
      expect([gone.status, gone.headers["remit-credit"]]).toEqual([502, "true"]);
      expect(gone.body.toString()).toContain("a credit stands");
      expect(parseSettleResponse(String(gone.headers["payment-response"]))).toEqual(settled);
      const paid = async (): Promise<number> => {
        const intents = await world.sandbox.paymentIntents({ status: "succeeded" });
        return (await settledSince()) + intents.filter(({ id }) => !taken.includes(id)).length;
      };
      expect(await paid()).toBe(1);
      world.upstream.answer = (_, res) => void res.end("the report");
      const calls = world.upstream.requests.length;
      const redeemed = await world.ask("/demo/report", { headers });
      expect([redeemed.status, redeemed.body.toString()]).toEqual([200, "the report"]);
      const again = await world.ask("/demo/report", { headers });
      expect([again.status, again.headers["idempotent-replayed"]]).toEqual([200, "true"]);
      expect(world.upstream.requests).toHaveLength(calls + 1);
      expect(await paid()).toBe(1);
      if (what === "a transfer")
        expect((await world.ask("/demo/other", { headers })).status).toBeGreaterThanOrEqual(402);
      await world.writeOffers();
      await world.gateway.reload();
    },
  );

  test("a transfer that names nothing which the chain does not show is refused, and one that does is redeemed by its payer", async () => {
    await world.writeOffers({ route: { settle: "before" } });
    await world.gateway.reload();
    const unpaid = await world.ask("/demo/report");
    const { extensions } = parsePaymentRequired(String(unpaid.headers["payment-required"]));
    expect(extensions?.["payment-identifier"]).toMatchObject({ info: { required: true } });
    const nameless = await payByTransfer(unpaid);
    for (const short of [{}, { "Idempotency-Key": "order-1" }]) {
      const refused = await world.ask("/demo/report", { headers: { ...nameless, ...short } });
      expect([refused.status, JSON.parse(refused.body.toString()).code]).toEqual([
        400,
        "payment_identifier_required",
      ]);
    }
    expect([await settledSince(), await world.claims(), world.upstream.requests]).toEqual([0, [], []]);
    world.upstream.answer = (_, res) => void res.writeHead(500).end("broken");
    const keyed = { ...nameless, "Idempotency-Key": "a-secret-of-the-payers" };
    expect((await world.ask("/demo/report", { headers: keyed })).status).toBe(500);
    world.upstream.answer = (_, res) => void res.end("the report");
    const unproven = await world.ask("/demo/report", { headers: nameless });
    expect([unproven.status, unproven.headers["www-authenticate"]]).toEqual([
      409,
      expect.stringContaining("SIWX"),
    ]);
    const proof = await signIn(world.clock.now());
    const redeemed = await world.ask("/demo/report", { headers: { ...nameless, ...proof } });
    expect([redeemed.status, redeemed.body.toString()]).toEqual([200, "the report"]);
    expect(await settledSince()).toBe(1);
    await world.writeOffers();
    await world.gateway.reload();
  });
});

describe("a credential that may try again", () => {
  beforeEach(clean);

  const fail = (): void => void (world.upstream.answer = (req) => void req.socket.destroy());
  const work = (): void => void (world.upstream.answer = (_, res) => void res.end("the report"));

  test("C03 does not once its idempotency key has paid by another one", async () => {
    const key = newId("request");
    const first = await payByTransfer(await world.ask("/demo/report"), key);
    fail();
    expect((await world.ask("/demo/report", { headers: first })).status).toBe(502);
    work();
    const second = await payByTransfer(await world.ask("/demo/report"), key);
    expect((await world.ask("/demo/report", { headers: second })).status).toBe(200);
    const refused = await world.ask("/demo/report", { headers: first });
    expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
      409,
      { code: "idempotency_conflict" },
    ]);
    expect(world.upstream.requests).toHaveLength(2);
    expect(await settledSince()).toBe(1);
    expect((await world.claims()).map(({ state }) => state).toSorted()).toEqual(["captured", "released"]);
  });

  test("O12 is charged and receipted at the price that it pays now", async () => {
    const spt = await world.sandbox.token({ amount: 1000 });
    const pay = async (): Promise<Answer> => {
      const challenge = challengeFor(await world.ask("/demo/report"), "stripe");
      return await world.ask("/demo/report", { headers: mpp(challenge, { spt }) });
    };
    fail();
    expect((await pay()).status).toBe(502);
    work();
    await world.writeOffers({ amountMinor: 700 });
    await world.gateway.reload();
    const paid = await pay();
    expect(paid.status).toBe(200);
    const receipt = verifyMerchantReceipt(String(paid.headers["remit-receipt"]), {
      origin,
      keys: [publicJwkOf(world.offerKey)],
    });
    const intents = await world.sandbox.paymentIntents();
    const intent = intents.find(({ id }) => id === receipt.payment_reference);
    expect([receipt.amount_minor, intent?.amount_received]).toEqual([700, 700]);
    await world.writeOffers();
    await world.gateway.reload();
  });

  test("fetches a lost answer by the secret that it was paid with", async () => {
    const headers = await payByTransfer(await world.ask("/demo/report"));
    fail();
    expect((await world.ask("/demo/report", { headers })).status).toBe(502);
    work();
    const named = { headers: { ...headers, "Idempotency-Key": "a-secret-of-the-payers" } };
    expect((await world.ask("/demo/report", named)).status).toBe(200);
    const again = await world.ask("/demo/report", named);
    expect([again.status, again.headers["idempotent-replayed"]]).toEqual([200, "true"]);
    expect((await world.ask("/demo/report", { headers })).status).toBe(409);
  });

  test("M11 may also do so after an upstream that was left alone, and pays once", async () => {
    const headers = await payByTransfer(await world.ask("/demo/report"), newId("request"));
    fail();
    const ask = async (): Promise<number> => (await world.ask("/demo/report", { headers })).status;
    for (let i = 0; i < 5; i++) expect(await ask()).toBe(502);
    expect(await ask()).toBe(503);
    expect(await world.claims()).toMatchObject([{ state: "released", attempt: 6, sealed_order: null }]);
    expect(world.upstream.requests).toHaveLength(5);
    work();
    world.clock.advance(2 * secondMs);
    expect(await ask()).toBe(200);
    expect(await settledSince()).toBe(1);
  });
});

const steps = [
  ["M01", "gateway.claimed", "released"],
  ["M03", "gateway.charged", "released"],
  ["M04", "gateway.serving", "released"],
  ["M05", "gateway.served", "captured"],
  ["M06", "gateway.capturing", "captured"],
  ["M07", "gateway.captured", "captured"],
] as const;

describe("broken off at any step", () => {
  const broken = new Map<string, { readonly id: string | undefined; readonly headers: Headers }>();
  const idsNow = async (): Promise<string[]> => (await world.claims()).map(({ id }) => id);

  // Each is broken off, and time passes for all of them together: it goes on to be that late for all that comes after.
  beforeAll(async () => {
    await clean();
    await noteTaken();
    for (const [rail, pay] of rails)
      for (const [, name] of steps) {
        const headers = await pay(await world.ask("/demo/report"));
        const before = new Set(await idsNow());
        setFailpoint({ name, does: "error" });
        expect((await world.ask("/demo/report", { headers })).status).toBe(500);
        setFailpoint(undefined);
        broken.set(`${name} ${rail}`, { id: (await idsNow()).find((id) => !before.has(id)), headers });
      }
    await eventually(async () => {
      world.clock.advance(minuteMs);
      const open = (await world.claims()).filter(({ sealed_order: order }) => order !== null);
      expect(open).toEqual([]);
    });
  });

  test.each(rails.flatMap(([rail]) => steps.map(([fault, name, end]) => [fault, name, rail, end] as const)))(
    "%s at %s, by %s, it ends %s",
    async (_, name, rail, end) => {
      const { id, headers } = broken.get(`${name} ${rail}`) ?? {};
      const claim = (await world.claims()).find((row) => row.id === id);
      expect(claim).toMatchObject({ state: end, attempt: 1 });
      expect(claim?.receipt === null).toBe(end === "released");
      if (end === "released") return;
      // The credential that has paid gets its goods, and nobody makes them again.
      const calls = world.upstream.requests.length;
      const answer = await world.ask("/demo/report", { ...(headers !== undefined && { headers }) });
      expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
      expect(world.upstream.requests).toHaveLength(calls);
    },
  );

  test("what was served is paid once each, and nothing is held", async () => {
    expect(await settledSince()).toBe(3);
    const intents = await world.sandbox.paymentIntents();
    expect(intents.filter(({ status }) => open.includes(status))).toEqual([]);
    const anew = intents.filter(({ id, status }) => status === "succeeded" && !taken.includes(id));
    expect(anew).toHaveLength(3);
  });
});
