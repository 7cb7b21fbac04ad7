import { minuteMs } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { challengeFor, mpp } from "./payers.ts";
import { type RailsWorld, startRailsWorld } from "./rails.ts";

let world: RailsWorld;
beforeAll(async () => {
  world = await startRailsWorld();
});
afterAll(async () => {
  await world.close();
});
beforeEach(async () => {
  await world.sandbox.heal();
});

const spent = async () => {
  const unpaid = await world.ask("/demo/report");
  return mpp(challengeFor(unpaid, "stripe"), { spt: await world.sandbox.token({ amount: 1000 }) });
};

/** Recovery takes the claim over, as it does once a minute. */
const recovered = (state: string): Promise<void> =>
  eventually(async () => {
    world.clock.advance(minuteMs);
    expect((await world.claims()).at(-1)).toMatchObject({ state });
  });

describe("a failure that the card network keeps for a key", () => {
  test("M10 of a capture does not stand in the way of recovery: captured once, and delivered", async () => {
    const headers = await spent();
    await world.sandbox.fail("payment_intents.capture", { action: "error_500" });
    expect((await world.ask("/demo/report", { headers })).status).toBeGreaterThanOrEqual(500);
    await recovered("captured");
    const answer = await world.ask("/demo/report", { headers });
    expect([answer.status, answer.body.toString()]).toEqual([200, "the report"]);
    const paid = await world.sandbox.paymentIntents({ status: "succeeded" });
    expect(paid.map(({ amount_received }) => amount_received)).toEqual([1000]);
  });

  test("M09 of a cancel does not keep the card's money held", async () => {
    const headers = await spent();
    world.upstream.answer = (_, res) => void res.writeHead(500).end("broken");
    await world.sandbox.fail("payment_intents.cancel", { action: "error_500" });
    await world.ask("/demo/report", { headers });
    await recovered("released");
    const held = await world.sandbox.paymentIntents({ status: "requires_capture" });
    expect(held).toEqual([]);
  });
});
