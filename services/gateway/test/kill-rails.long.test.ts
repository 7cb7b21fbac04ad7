import { newId } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { GatewayProcess } from "./gateway-process.ts";
import { challengeFor, type Headers, mpp, payByTransfer } from "./payers.ts";
import { type RailsProcesses, startRailsProcesses } from "./rails-process.ts";
import type { Answer } from "./world.ts";

// A gateway that is paid by card and by transfer, killed as by the kernel at each step, and started again on its data.
let shop: RailsProcesses;
let gateway: GatewayProcess;

beforeAll(async () => {
  shop = await startRailsProcesses();
  gateway = await shop.start();
});
afterAll(() => shop.close());
beforeEach(() => shop.forget());

type Rail = "cards" | "transfers";
const rails: readonly Rail[] = ["cards", "transfers"];

async function credentialFor(rail: Rail, unpaid: Answer): Promise<Headers> {
  if (rail === "transfers") return await payByTransfer(unpaid, newId("request"));
  return mpp(challengeFor(unpaid, "stripe"), { spt: await shop.sandbox.token({ amount: 1000 }) });
}

type Buyer = { readonly rail: Rail; readonly headers: Headers; readonly answer: Promise<Answer | "lost"> };

/** A buyer who pays, and waits for the answer. */
async function buy(rail: Rail): Promise<Buyer> {
  const headers = await credentialFor(rail, await gateway.ask("/demo/report"));
  const answer = gateway.ask("/demo/report", { headers }).catch((): "lost" => "lost");
  return { rail, headers, answer };
}

const again = ({ headers }: Buyer): Promise<Answer> => gateway.ask("/demo/report", { headers });

/** Starts the gateway so that every purchase stops at the failpoint, lets one of each rail get there, and kills it. */
async function killAt(
  name: string,
  isThere: () => Promise<void>,
  of: readonly Rail[] = rails,
): Promise<Buyer[]> {
  await gateway.kill("SIGTERM");
  gateway = await shop.startAgain(gateway, { failpoint: `${name}:hang` });
  const buyers = [];
  for (const rail of of) buyers.push(await buy(rail));
  await eventually(isThere);
  await die();
  for (const { answer } of buyers) expect(await answer).toBe("lost");
  return buyers;
}

/** kill -9, and up again. */
async function die(): Promise<void> {
  expect(await gateway.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
  gateway = await shop.startAgain(gateway);
}

const inState = (state: string, count: number) => async (): Promise<void> => {
  const claims = await shop.world.claims();
  expect(claims.filter((claim) => claim.state === state)).toHaveLength(count);
};
const states = async (): Promise<string[]> => (await shop.world.claims()).map(({ state }) => state);
const taken = async (): Promise<number> => {
  const { cards, transfers, charges } = await shop.taken();
  return cards + transfers + charges;
};

/** Whoever had paid gets what was made for them, and nobody makes or pays for it again. */
async function expectGoods(buyers: readonly Buyer[]): Promise<void> {
  const before = await shop.taken();
  const calls = shop.world.upstream.requests.length;
  for (const buyer of buyers) {
    const answer = await again(buyer);
    expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
    expect(answer.headers).toMatchObject({ "idempotent-replayed": "true" });
    expect(answer.headers).toHaveProperty("remit-receipt");
  }
  expect(await shop.taken()).toEqual(before);
  expect(shop.world.upstream.requests).toHaveLength(calls);
}

/** Nothing was taken from whoever got nothing, and the same credential buys once. */
async function expectFree(buyers: readonly Buyer[]): Promise<void> {
  expect(await taken()).toBe(0);
  const calls = shop.world.upstream.requests.length;
  for (const buyer of buyers) {
    const answer = await again(buyer);
    expect([answer.status, answer.body.toString()], answer.body.toString()).toEqual([200, "the report"]);
  }
  expect(shop.world.upstream.requests).toHaveLength(calls + buyers.length);
  await shop.settled();
  const { cards, transfers } = await shop.taken();
  expect({ cards, transfers }).toEqual({
    cards: buyers.filter(({ rail }) => rail === "cards").length,
    transfers: buyers.filter(({ rail }) => rail === "transfers").length,
  });
}

describe("kill -9 before the answer is kept: nobody has paid, nothing is held, and the credential is free", () => {
  test.each([
    ["M01", "gateway.claimed", "claimed"],
    ["M03", "gateway.charged", "serving"],
    ["M04", "gateway.serving", "serving"],
  ])("%s at %s, by card and by transfer", async (_, name, state) => {
    const buyers = await killAt(name, inState(state, 2));
    await shop.settled();
    expect(await states()).toEqual(["released", "released"]);
    expect(shop.world.upstream.requests).toEqual([]);
    await expectFree(buyers);
  });

  test("M04 while the upstream is at work", async () => {
    shop.world.upstream.answer = () => undefined;
    const buyers = [await buy("cards"), await buy("transfers")];
    await eventually(() => expect(shop.world.upstream.requests).toHaveLength(2));
    await die();
    shop.world.upstream.answer = (_, res) => void res.end("the report");
    await shop.settled();
    expect(await states()).toEqual(["released", "released"]);
    await expectFree(buyers);
  });
});

describe("kill -9 once the answer is kept: each has paid once, and gets it", () => {
  test.each([
    ["M05", "gateway.served", "capturing"],
    ["M06", "gateway.capturing", "capturing"],
    ["M08", "gateway.captured", "captured"],
  ])("%s at %s, by card and by transfer", async (_, name, state) => {
    const buyers = await killAt(name, inState(state, 2));
    await shop.settled();
    expect(await states()).toEqual(["captured", "captured"]);
    expect(await shop.taken()).toEqual({ cards: 1, transfers: 1, charges: 0 });
    expect(shop.world.upstream.requests).toHaveLength(2);
    await expectGoods(buyers);
  });

  const transactions = async (): Promise<unknown[]> =>
    await shop.world.database.asAdmin(
      `select from ${shop.world.database.schema}.settlement_transactions t
         where not exists (select from ${shop.world.database.schema}.claims c where c.settlement = t.transaction)`,
    );
  test.each([
    ["M06", "facilitator.signed"],
    ["M06", "facilitator.sent"],
    ["M07", "facilitator.mined"],
  ])("%s at %s: the bytes that were written down are brought on the chain once", async (_, name) => {
    const before = (await transactions()).length;
    const buyers = await killAt(name, async () => {
      expect(await transactions()).toHaveLength(before + 1);
      if (name !== "facilitator.signed") expect(await shop.taken()).toMatchObject({ transfers: 1 });
    }, ["transfers"]);
    await shop.settled();
    expect(await states()).toEqual(["captured"]);
    expect(await shop.taken()).toEqual({ cards: 0, transfers: 1, charges: 0 });
    await expectGoods(buyers);
  });
});

describe("kill -9 while Stripe does what it was asked, and says nothing", () => {
  const intents = async (status: string): Promise<number> =>
    (await shop.sandbox.paymentIntents({ status })).length;

  test("M02 of the hold: it is found by its key and let go of, and the token is free", async () => {
    const before = await intents("requires_capture");
    await shop.sandbox.fail("payment_intents.create", { action: "hang" });
    const buyer = await buy("cards");
    await eventually(async () => expect(await intents("requires_capture")).toBe(before + 1));
    await die();
    await shop.settled();
    expect(await states()).toEqual(["released"]);
    await expectFree([buyer]);
  });

  test("M06 of the capture: it is read back as captured, and delivered", async () => {
    await shop.sandbox.fail("payment_intents.capture", { action: "hang" });
    const buyer = await buy("cards");
    await eventually(async () => expect(await shop.taken()).toMatchObject({ cards: 1 }));
    await die();
    await shop.settled();
    expect(await states()).toEqual(["captured"]);
    expect(await shop.taken()).toMatchObject({ cards: 1 });
    await expectGoods([buyer]);
  });

  test("M14 of the cancel: it is read back as canceled, and the token is free", async () => {
    const before = await intents("canceled");
    shop.world.upstream.answer = (_, res) => void res.writeHead(500).end("broken");
    await shop.sandbox.fail("payment_intents.cancel", { action: "hang" });
    const buyer = await buy("cards");
    await eventually(async () => expect(await intents("canceled")).toBe(before + 1));
    await die();
    shop.world.upstream.answer = (_, res) => void res.end("the report");
    await shop.settled();
    expect(await states()).toEqual(["released"]);
    await expectFree([buyer]);
  });
});

describe("kill -9 of a gateway that is paid first", () => {
  const reload = async (route: object): Promise<void> => {
    await shop.world.writeOffers({ route });
    await gateway.kill("SIGTERM");
    gateway = await shop.startAgain(gateway);
  };
  beforeAll(() => reload({ settle: "before" }));
  afterAll(() => reload({}));

  test("M06 before anything was asked to be taken, the credential is free", async () => {
    const buyers = await killAt("gateway.capturing", inState("capturing", 2));
    await shop.settled();
    expect(await states()).toEqual(["released", "released"]);
    expect(shop.world.upstream.requests).toEqual([]);
    await expectFree(buyers);
  });

  test("M07 once it is paid, whoever has paid gets the goods, however often the upstream is cut off", async () => {
    shop.world.upstream.answer = () => undefined;
    const buyers = [await buy("cards"), await buy("transfers")];
    await eventually(() => expect(shop.world.upstream.requests).toHaveLength(2));
    expect(await shop.taken()).toEqual({ cards: 1, transfers: 1, charges: 0 });
    await die();
    await eventually(async () => expect(await states()).toEqual(["owed", "owed"]));
    shop.world.upstream.answer = (_, res) => void res.end("the report");
    // At once: what the gateway that died was doing for them is nobody's.
    for (const buyer of buyers) expect((await again(buyer)).body.toString()).toBe("the report");
    expect(await shop.taken()).toEqual({ cards: 1, transfers: 1, charges: 0 });
    await expectGoods(buyers);
  });
});

describe("what the upstream does not deliver costs nothing", () => {
  afterEach(async () => {
    await shop.settled();
  });

  test.each<[string, number, (typeof shop.world.upstream)["answer"]]>([
    ["answers 500", 500, (_, res) => void res.writeHead(500).end("broken")],
    ["resets", 502, (req) => void req.socket.destroy()],
    [
      "breaks off half-way",
      502,
      (req, res) => {
        res.writeHead(200, { "content-length": "100" });
        res.write("half", () => req.socket.destroy());
      },
    ],
  ])(
    "M11 of one that %s: nothing is taken or held, and the credential is free",
    async (_, status, trouble) => {
      shop.world.upstream.answer = trouble;
      const buyers = [await buy("cards"), await buy("transfers")];
      for (const { answer } of buyers) {
        const refused = await answer;
        expect(refused === "lost" ? refused : refused.status).toBe(status);
        expect(refused === "lost" ? "" : refused.body.toString()).not.toContain("half");
      }
      shop.world.upstream.answer = (__, res) => void res.end("the report");
      await shop.settled();
      expect(await states()).toEqual(["released", "released"]);
      await expectFree(buyers);
    },
  );

  test("M11 of one that never answers: it is given up in its time", async () => {
    await shop.world.writeOffers({ route: { upstream_timeout_s: 1 } });
    await gateway.kill("SIGTERM");
    gateway = await shop.startAgain(gateway);
    shop.world.upstream.answer = () => undefined;
    const buyers = [await buy("cards"), await buy("transfers")];
    for (const { answer } of buyers) expect(await answer).toMatchObject({ status: 504 });
    shop.world.upstream.answer = (_, res) => void res.end("the report");
    await shop.settled();
    expect(await states()).toEqual(["released", "released"]);
    await shop.world.writeOffers();
  });
});

test("M01 M06 kill -9 again and again while twelve buy: each has paid for what they have, once", async () => {
  shop.world.upstream.answer = (_, res) => void setImmediate(() => res.end("the report"));
  const buyers: Buyer[] = [];
  for (let round = 0; round < 3; round++) {
    const served = shop.world.upstream.requests.length;
    const some = await Promise.all(
      ["cards", "transfers", "cards", "transfers"].map((rail) => buy(rail as Rail)),
    ); // two of each
    buyers.push(...some);
    await eventually(() => expect(shop.world.upstream.requests.length).toBeGreaterThan(served));
    await die();
  }
  await shop.settled();
  const paid = await taken();
  expect((await states()).filter((state) => state === "captured")).toHaveLength(paid);
  expect(shop.world.upstream.requests.length).toBeGreaterThanOrEqual(paid);
  for (const buyer of buyers) expect((await again(buyer)).body.toString()).toBe("the report");
  await shop.settled();
  expect(await shop.taken()).toEqual({ cards: 6, transfers: 6, charges: 0 });
  await expectGoods(buyers);
}, 300_000);
