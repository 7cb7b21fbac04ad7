import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Fleet, type Member, startFleet } from "../fleet.ts";
import { type Buyer, expectWhole, newBuyer } from "../fleet-buyer.ts";

// What stands outside goes wrong: Stripe does not answer, the upstream fails, buyers leave, the database is gone.
let fleet: Fleet;

beforeAll(async () => {
  // Nobody here waits long for what is gone.
  fleet = await startFleet({ gateway: { REMIT_PATIENCE_MS: "1000" } });
});
afterAll(async () => {
  await fleet?.close();
});

const statusesOf = async (buyer: Buyer): Promise<string[]> =>
  (await buyer.intents()).map(({ status }) => status);

describe("M02 M09 M10 M14 an answer of Stripe is lost", () => {
  test.each([
    ["M09", "payment_intents.capture", "hang"],
    ["M09", "payment_intents.capture", "drop_answer"],
    ["M10", "payment_intents.capture", "error_500"],
    ["M10", "payment_intents.capture", "error_500_after_effect"],
    ["M10", "payment_intents.capture", "hang_request"],
  ] as const)(
    "%s of %s (%s): it is read back and captured once, never released",
    async (_, operation, action) => {
      const buyer = await newBuyer(fleet);
      await fleet.sandbox.fail(operation, { action });
      await buyer.buy();
      expect(await expectWhole(buyer)).toBe("paid");
      expect(await statusesOf(buyer)).toEqual(["succeeded"]);
    },
  );

  test.each([
    ["payment_intents.create", "hang"],
    ["payment_intents.create", "error_500_after_effect"],
    ["payment_intents.confirm", "hang"],
  ] as const)("M02 of %s (%s): no second PaymentIntent is made for the charge", async (operation, action) => {
    const buyer = await newBuyer(fleet);
    await fleet.sandbox.fail(operation, { action });
    await buyer.buy();
    const outcome = await expectWhole(buyer);
    expect(await buyer.intents()).toHaveLength(outcome === "paid" ? 1 : 2);
  });

  test.each(["hang", "hang_request", "error_500"] as const)(
    "M14 of payment_intents.cancel (%s): it is canceled in the end, and only then is the budget free",
    async (action) => {
      const buyer = await newBuyer(fleet);
      await fleet.sandbox.upstream({ answer: "500", times: 1 });
      await fleet.sandbox.fail("payment_intents.cancel", { action });
      expect(await buyer.buy()).toMatchObject({ kind: "refused", status: 500 });
      expect(await expectWhole(buyer)).toBe("unpaid");
      expect((await statusesOf(buyer)).toSorted()).toEqual(["canceled", "succeeded"]);
    },
  );
});

describe("M11 an upstream that does not serve costs the buyer nothing", () => {
  test.each([
    ["500", 500],
    ["404", 404],
    ["reset", 502],
  ])("answering %s: the buyer sees %i", async (answer, status) => {
    const buyer = await newBuyer(fleet);
    await fleet.sandbox.upstream({ answer, times: 1 });
    expect(await buyer.buy()).toMatchObject({ kind: "refused", status });
    expect(await expectWhole(buyer)).toBe("unpaid");
  });

  test("never answering: the buyer sees 504", async () => {
    const buyer = await newBuyer(fleet);
    await fleet.sandbox.upstream({ answer: "hang", times: 1 });
    expect(await buyer.buy({ method: "POST" })).toMatchObject({ kind: "refused", status: 504 });
    expect(await expectWhole(buyer)).toBe("unpaid");
  });
});

test("M13 a buyer that leaves while it is served leaves no hold behind, and finds the goods when it comes back", async () => {
  const buyer = await newBuyer(fleet);
  const leaving = new AbortController();
  const before = await fleet.sandbox.upstreamCalls();
  await fleet.sandbox.upstream({ answer: "slow", times: 1, delay_ms: 2000 });
  const buying = buyer.buy({ signal: leaving.signal });
  await eventually(async () => expect(await fleet.sandbox.upstreamCalls()).toBe(before + 1));
  leaving.abort();
  expect(await buying).toMatchObject({ kind: "lost" });
  expect(await expectWhole(buyer)).toBe("paid");
});

describe("kill -9 of Stripe's sandbox", () => {
  test.each([
    ["before it has captured", "hang_request"],
    ["after it has captured", "hang"],
  ] as const)("%s: it remembers, and the charge is captured once", async (_, action) => {
    const buyer = await newBuyer(fleet);
    await fleet.sandbox.fail("payment_intents.capture", { action });
    const buying = buyer.buy();
    await eventually(async () =>
      expect(await statusesOf(buyer)).toEqual([action === "hang" ? "succeeded" : "requires_capture"]),
    );
    await eventually(async () => expect(await leftFailures()).toBe(0));
    await fleet.kill("sandbox");
    await fleet.restart("sandbox");
    await buying;
    expect(await expectWhole(buyer)).toBe("paid");
    expect(await statusesOf(buyer)).toEqual(["succeeded"]);
  });
});

/** How many of the sandbox's failures have not struck yet. */
async function leftFailures(): Promise<number> {
  const answer = await fetch(`${fleet.dev.sandbox}/sandbox/failures`);
  const { data } = (await answer.json()) as { data: { left: number }[] };
  return data.reduce((sum, { left }) => sum + left, 0);
}

const services: readonly Member[] = ["authorization-server", "directory", "billing", "gateway"];

function originOf(member: Member): string {
  const { issuer, directory, billing, gateway, sandbox } = fleet.dev;
  return { "authorization-server": issuer, directory, billing, gateway, sandbox }[member];
}

const statusOf = async (member: Member, path: string): Promise<number> =>
  (await fetch(`${originOf(member)}/${path}`)).status;

const allReady = (): Promise<void> =>
  eventually(async () => {
    for (const member of services) expect(await statusOf(member, "readyz"), member).toBe(200);
  });

describe("the database is gone", () => {
  test("kill -9 of PostgreSQL while a buyer is served: everything acknowledged is there, and the purchase is whole", async () => {
    const buyer = await newBuyer(fleet);
    const before = await fleet.sandbox.upstreamCalls();
    await fleet.sandbox.upstream({ answer: "slow", times: 1, delay_ms: 1000 });
    const buying = buyer.buy();
    await eventually(async () => expect(await fleet.sandbox.upstreamCalls()).toBe(before + 1));
    await fleet.database.kill();
    await fleet.database.start();
    await buying;
    await allReady();
    await expectWhole(buyer);
  });

  test("everything dies at once while Stripe captures: what was begun is finished", async () => {
    const buyer = await newBuyer(fleet);
    await fleet.sandbox.fail("payment_intents.capture", { action: "hang" });
    const buying = buyer.buy();
    await eventually(async () => expect(await statusesOf(buyer)).toEqual(["succeeded"]));
    await Promise.all([...services, "sandbox" as const].map((member) => fleet.kill(member)));
    await fleet.database.kill();
    expect(await buying).toMatchObject({ kind: "lost" });
    await fleet.database.start();
    await Promise.all([...services, "sandbox" as const].map((member) => fleet.restart(member)));
    expect(await expectWhole(buyer)).toBe("paid");
    expect(await statusesOf(buyer)).toEqual(["succeeded"]);
  });

  test("D01 when the upstream has answered: the outcome is unknown at first, and whole soon after", async () => {
    const buyer = await newBuyer(fleet);
    const before = await fleet.sandbox.upstreamCalls();
    await fleet.sandbox.upstream({ answer: "slow", times: 1, delay_ms: 2000 });
    const buying = buyer.buy();
    await eventually(async () => expect(await fleet.sandbox.upstreamCalls()).toBe(before + 1));
    await fleet.database.kill();
    expect(await buying).toMatchObject({ kind: "refused", status: 503 });
    await fleet.database.start();
    await allReady();
    await expectWhole(buyer);
  });

  test("D01 for some seconds: 503 with Retry-After, alive but not ready, no money is moved, and all is well again by itself", async () => {
    const buyer = await newBuyer(fleet);
    await fleet.database.stop();
    for (const member of services) {
      await eventually(async () => expect(await statusOf(member, "readyz"), member).toBe(503));
      expect(await statusOf(member, "livez"), member).toBe(200);
    }
    const calls = await moneyCalls();
    expect(await buyer.buy()).toMatchObject({
      kind: "refused",
      status: 503,
      retryAfter: expect.stringMatching(/^\d+$/),
    });
    expect(await moneyCalls()).toBe(calls);
    await fleet.database.start();
    await allReady();
    await expectWhole(buyer);
  });
});

/** Everything that was ever asked of Stripe to change. */
async function moneyCalls(): Promise<number> {
  const answer = await fetch(`${fleet.dev.sandbox}/sandbox/requests?method=POST`);
  return ((await answer.json()) as { data: unknown[] }).data.length;
}
