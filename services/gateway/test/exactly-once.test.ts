import { secondMs, systemClock, toNumericDate } from "@remit/kernel";
import { parseReceipt, parseSettleResponse, publicJwkOf } from "@remit/protocol";
import { verifyMerchantReceipt } from "@remit/protocol/node";
import { sandboxKeys } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import {
  cardForm,
  challengeFor,
  entryFor,
  evmPayload,
  type Headers,
  mpp,
  network,
  payByTransfer,
  payer,
  signIn,
  transfer,
  version1,
  version2,
} from "./payers.ts";
import { type RailsWorld, startRailsWorld } from "./rails.ts";
import { type Answer, merchantId, origin, send } from "./world.ts";

let world: RailsWorld;
let other: string;
let moved = 0;

beforeAll(async () => {
  world = await startRailsWorld();
  other = await world.replica();
});

afterAll(async () => {
  await world.close();
});

beforeEach(async () => {
  await world.database.asAdmin(`truncate ${world.database.schema}.claims cascade`);
  world.upstream.requests.length = 0;
  world.upstream.answer = (_, res) => void res.end("the report");
  moved = await world.transfers();
});

const codeOf = ({ body }: Answer): string => JSON.parse(body.toString()).code;
const settledSince = async (): Promise<number> => (await world.transfers()) - moved;
const token = (): Promise<string> => world.sandbox.token({ amount: 1000 });
const intents = (): Promise<string[]> =>
  world.sandbox.paymentIntents().then((all) => all.map(({ status }) => status));

/** Every way in which the same report is paid without a mandate. */
const doors: readonly [string, (unpaid: Answer) => Promise<Headers>][] = [
  ["a transfer by x402 v2", (unpaid) => payByTransfer(unpaid)],
  [
    "a transfer by x402 v1",
    async () => version1({ scheme: "exact", network: "base-sepolia", payload: await transfer() }),
  ],
  [
    "a transfer by MPP",
    async (unpaid) => {
      const challenge = challengeFor(unpaid, "evm");
      return mpp(challenge, await evmPayload(challenge));
    },
  ],
  ["a card by MPP", async (unpaid) => mpp(challengeFor(unpaid, "stripe"), { spt: await token() })],
  ["a card by x402 v2", async (unpaid) => version2(entryFor(unpaid, "card"), { spt: await token() })],
  [
    "a card by auth-capture",
    async (unpaid) =>
      version2(entryFor(unpaid, "auth-capture"), {
        token: await token(),
        paymentId: `pay_${Math.trunc(moved)}`,
      }),
  ],
  ["a card by the older form", async () => cardForm({ spt: await token() })],
  ["a card by the older form, wrapped", async () => cardForm({ payload: { spt: await token() } })],
];

describe("a purchase without a mandate", () => {
  test.each(doors)("%s is held, served, captured and delivered with its receipt", async (_, pay) => {
    const unpaid = await world.ask("/demo/report");
    const paid = await world.ask("/demo/report", { headers: await pay(unpaid) });
    expect([paid.status, paid.body.toString()]).toEqual([200, "the report"]);
    const settled = parseSettleResponse(String(paid.headers["payment-response"]));
    expect(settled.success).toBe(true);
    const receipt = parseReceipt(String(paid.headers["payment-receipt"]));
    expect(receipt.reference).toBe(settled.transaction);
    const signed = verifyMerchantReceipt(String(paid.headers["remit-receipt"]), {
      origin,
      keys: [publicJwkOf(world.offerKey)],
    });
    expect(signed).toMatchObject({
      merchant: merchantId,
      resource: { method: "GET", url: `${origin}/demo/report` },
      amount_minor: 1000,
      currency: "USD",
      payment_reference: settled.transaction,
    });
    const isCard = receipt.method === "stripe";
    expect(await settledSince()).toBe(isCard ? 0 : 1);
    if (isCard) {
      const all = await world.sandbox.paymentIntents();
      const intent = all.find(({ id }) => id === settled.transaction);
      expect(intent).toMatchObject({ status: "succeeded", amount_received: 1000 });
    } else expect(settled).toMatchObject({ network, payer });
  });
});

describe("how long a transfer may be good for", () => {
  const payV1 = async (after: number, before: number): Promise<Answer> => {
    const nowS = toNumericDate(world.clock.now());
    const payload = await transfer({ validAfter: nowS + after, validBefore: nowS + before });
    const headers = version1({ scheme: "exact", network: "base-sepolia", payload });
    return await world.ask("/demo/report", { headers });
  };

  test.each([
    ["what clients of v1 sign", -600, 300],
    ["what a clock signs that is a minute ahead", -540, 360],
  ])("%s is taken", async (_, after, before) => {
    expect((await payV1(after, before)).status).toBe(200);
  });

  test.each([
    ["longer than was asked for: it could be charged when nobody expects it", 0, 361, "valid_before"],
    ["for a week", 0, 7 * 86_400, "valid_before"],
    ["shorter than a chain takes", 0, 5, "valid_before"],
    ["from later on", 1, 300, "valid_after"],
  ])("%s is refused, and nobody serves", async (_, after, before, reason) => {
    const refused = await payV1(after, before);
    expect([refused.status, codeOf(refused)]).toEqual([402, "payment_invalid"]);
    expect(refused.body.toString()).toContain(`invalid_exact_evm_payload_authorization_${reason}`);
    expect(world.upstream.requests).toEqual([]);
    expect(await world.claims()).toEqual([]);
  });
});

test("C03 two buyers who ask at one instant both pay: neither answers the other's challenge", async () => {
  const [one, two] = [await world.ask("/demo/report"), await world.ask("/demo/report")];
  for (const unpaid of [one, two]) {
    const headers = mpp(challengeFor(unpaid, "stripe"), { spt: await token() });
    expect((await world.ask("/demo/report", { headers })).status).toBe(200);
  }
});

test("C04 one challenge is answered once: of twenty tokens for it one pays, and the others can pay for something else", async () => {
  const challenge = challengeFor(await world.ask("/demo/report"), "stripe");
  const before = (await intents()).filter((status) => status === "succeeded").length;
  const tokens = await Promise.all(Array.from({ length: 20 }, token));
  const answers = await Promise.all(
    tokens.map((spt, nth) =>
      send(nth % 2 === 0 ? world.address : other, "/demo/report", { headers: mpp(challenge, { spt }) }),
    ),
  );
  const won = answers.findIndex(({ status }) => status === 200);
  const lost = answers.filter((_, nth) => nth !== won);
  expect(new Set(lost.map(({ status }) => status))).toEqual(new Set([402]));
  expect(new Set(lost.map(codeOf))).toEqual(new Set(["challenge_invalid"]));
  const later = await world.ask("/demo/report", { headers: mpp(challenge, { spt: await token() }) });
  expect([later.status, codeOf(later)]).toEqual([402, "challenge_invalid"]);
  expect(world.upstream.requests).toHaveLength(1);
  const after = await intents();
  expect(after.filter((status) => status === "succeeded")).toHaveLength(before + 1);
  expect(after).not.toContain("requires_capture");
  const spt = tokens[won === 0 ? 1 : 0] ?? "";
  const anew = challengeFor(await world.ask("/demo/report"), "stripe");
  expect((await world.ask("/demo/report", { headers: mpp(anew, { spt }) })).status).toBe(200);
});

describe("one credential, many requests", () => {
  test.each([
    [
      "a transfer with a secret of the payer's",
      (unpaid: Answer) => payByTransfer(unpaid, "a-secret-of-the-payers"),
    ],
    ["a transfer whose signature the chain shows", (unpaid: Answer) => payByTransfer(unpaid)],
    [
      "a payment token",
      async (unpaid: Answer) => mpp(challengeFor(unpaid, "stripe"), { spt: await token() }),
    ],
  ])("M10 %s over two gateways runs the handler once and settles once", async (what, pay) => {
    const before = (await intents()).length;
    const headers = await pay(await world.ask("/demo/report"));
    const asked = Array.from({ length: 40 }, (_, index) =>
      send(index % 2 === 0 ? world.address : other, "/demo/report", { headers }),
    );
    const answers = await Promise.all(asked);
    const delivered = answers.filter(({ status }) => status === 200);
    expect(world.upstream.requests).toHaveLength(1);
    expect((await settledSince()) + (await intents()).length - before).toBe(1);
    expect(new Set(delivered.map(({ body }) => body.toString()))).toEqual(new Set(["the report"]));
    const fresh = delivered.filter((answer) => answer.headers["idempotent-replayed"] === undefined);
    expect(fresh).toHaveLength(1);
    if (what.includes("shows")) expect(delivered).toHaveLength(1);
    // Who is no fresh winner got the stored answer, or was told to wait or that it is settled.
    for (const refused of answers.filter(({ status }) => status !== 200))
      expect([refused.status, ["charge_in_progress", "already_settled"].includes(codeOf(refused))]).toEqual([
        409,
        true,
      ]);
    await world.restart();
    const later = await world.ask("/demo/report", { headers });
    expect(later.status).toBe(what.includes("shows") ? 409 : 200);
    expect(world.upstream.requests).toHaveLength(1);
    const sibling = await world.ask("/demo/other", { headers });
    expect(sibling.status).toBeGreaterThanOrEqual(402);
    expect(world.upstream.requests).toHaveLength(1);
  });
});

describe("a lost answer that a signature on the chain paid for", () => {
  /** A purchase whose answer never arrived, with nothing but its signature to show. */
  async function lost(): Promise<Headers> {
    const headers = await payByTransfer(await world.ask("/demo/report"));
    expect((await world.ask("/demo/report", { headers })).status).toBe(200);
    return headers;
  }

  test("comes again to its payer, who signs in", async () => {
    const headers = await lost();
    const proof = await signIn(world.clock.now());
    const again = await world.ask("/demo/report", { headers: { ...headers, ...proof } });
    expect([again.status, again.body.toString()]).toEqual([200, "the report"]);
    expect(again.headers["idempotent-replayed"]).toBe("true");
    // The text counts once, on every gateway.
    const used = await send(other, "/demo/report", { headers: { ...headers, ...proof } });
    expect([used.status, codeOf(used)]).toEqual([409, "already_settled"]);
    expect(world.upstream.requests).toHaveLength(1);
    expect(await settledSince()).toBe(1);
  });

  test("is for nobody else, who is told how its payer gets it", async () => {
    const headers = await lost();
    const now = world.clock.now();
    const strangers: Headers[] = [
      {},
      await signIn(now, { key: sandboxKeys.facilitator }),
      await signIn(now, { domain: "other.test" }),
      { "SIGN-IN-WITH-X": "bm9uZQ==" },
      { Authorization: `Bearer siwx_${"A".repeat(75)}` },
      { "Idempotency-Key": "a-key-of-somebody-elses" },
    ];
    for (const shown of strangers) {
      const refused = await world.ask("/demo/report", { headers: { ...headers, ...shown } });
      expect([refused.status, codeOf(refused)]).toEqual([409, "already_settled"]);
      expect(refused.body.toString()).not.toContain("the report");
      expect(refused.headers).not.toHaveProperty("payment-required");
      expect(refused.headers["www-authenticate"]).toBe('SIWX domain="shop.test", window="600"');
      const { extensions, receipt, remedy } = JSON.parse(refused.body.toString());
      expect(extensions["sign-in-with-x"].info).toMatchObject({
        domain: "shop.test",
        uri: `${origin}/demo/report`,
      });
      expect([typeof receipt, remedy]).toEqual(["string", expect.stringContaining("sign-in-with-x")]);
    }
    expect(world.upstream.requests).toHaveLength(1);
  });
});

test("one key for retries is two purchases of two payers by card", async () => {
  const keyed = { "Idempotency-Key": "order-1" };
  for (let buyer = 0; buyer < 2; buyer++) {
    const challenge = challengeFor(await world.ask("/demo/report"), "stripe");
    const headers = { ...keyed, ...mpp(challenge, { spt: await token() }) };
    expect((await world.ask("/demo/report", { headers })).status).toBe(200);
    const again = await world.ask("/demo/report", { headers });
    expect([again.status, again.headers["idempotent-replayed"]]).toEqual([200, "true"]);
    // A challenge is of its instant.
    world.clock.advance(secondMs);
  }
  expect(world.upstream.requests).toHaveLength(2);
});

test("a settlement that fails is told in the words of x402, and nothing is delivered", async () => {
  const accepted = entryFor(await world.ask("/demo/report"), "exact");
  const payload = await transfer({ validBefore: toNumericDate(systemClock.now()) + 60 });
  // While the upstream works, the time of the signature runs out.
  world.upstream.answer = (_, res) =>
    void world.chain
      .call("evm_increaseTime", ["0x78"])
      .then(() => world.chain.call("evm_mine", []))
      .then(() => res.end("the report"));
  const answer = await world.ask("/demo/report", { headers: version2(accepted, payload) });
  expect([answer.status, codeOf(answer)]).toEqual([402, "payment_declined"]);
  const failed = parseSettleResponse(String(answer.headers["payment-response"]));
  expect(failed).toMatchObject({ success: false, transaction: "", network, payer });
  expect(failed.errorReason).toMatch(/./);
  expect(answer.body.toString()).not.toContain("the report");
  expect(await settledSince()).toBe(0);
});

test("the page of a 402 lists every way, with its amount and network", async () => {
  const page = await world.ask("/demo/report", { headers: { accept: "text/html" } });
  const ways = [...page.body.toString().matchAll(/<li>(.*?)<\/li>/g)].map(([, way]) => way);
  expect(ways).toEqual([
    expect.stringMatching(/^Mandate: 10\.00 USD/),
    expect.stringMatching(/^Card: 10\.00 USD/),
    expect.stringMatching(/^Stablecoin: 10\.000000 USDC on base-sepolia \(eip155:84532\)/),
  ]);
});
