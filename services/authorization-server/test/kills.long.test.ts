import { type Id, systemClock } from "@remit/kernel";
import { eventually } from "@remit/testkit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { checkBudget } from "../src/mandates/index.ts";
import { type As, personOf } from "./charging/api.ts";
import { asMerchantCall, type Charger, call, startCharger } from "./charging/processes.ts";
import {
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  newAgent,
  purchase,
  type TestAgent,
  type World,
} from "./charging/world.ts";

// One process that decides about money, killed by kill -9 at a named place or in the midst of its work, and started again.
let world: World;
let charger: Charger;
let agent: TestAgent;

beforeAll(async () => {
  world = await createWorld({ billingClock: systemClock });
  charger = await startCharger(world, 500);
});
afterAll(async () => {
  await charger.process.kill();
  await world.close();
});
beforeEach(async () => {
  world.clock.set(systemClock.now());
  agent = await newAgent(world.db, world);
});

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const at = (): Charger => charger;
const restartAt = async (failpoint?: string): Promise<void> => {
  charger = await charger.restart(failpoint);
};
const died = async (): Promise<void> => {
  expect(await charger.process.exited).toMatchObject({ signal: "SIGKILL" });
};
const chargeAsked = async (mandate: IssuedTestMandate, amount: number, more: object = {}) => {
  const body = purchase(world, { mandate, agent, amount, ...more });
  return call({ ...asMerchantCall(world, at), path: "/api/v1/charges", body, key: body.merchant_nonce });
};
const heldAtBilling = (charge: unknown) =>
  [...world.billing.payments.values()].filter((row) => row.charge === charge);
const isWhole = (mandate: Id<"mandate">): Promise<boolean> =>
  world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate));

/** One request that may find its process dying. */
const sent = async (as: As, path: string, { body = {}, key }: { body?: object; key: string }) => {
  const headers = {
    authorization: JSON.stringify(as),
    "content-type": "application/json",
    "idempotency-key": key,
  };
  const init = { method: "POST", headers, body: JSON.stringify(body) };
  return fetch(charger.origin + path, init).then(
    ({ status }) => status,
    () => undefined,
  );
};

describe("kill -9 of a yes to a purchase", () => {
  test("C11 before it is there leaves the question open: one answer, and one hold of the card", async () => {
    const mandate = await giveMandate(world, { step_up: [{ above_minor: 500 }] }, agent);
    const pending = await chargeAsked(mandate, 1_000);
    expect(pending).toMatchObject({ status: 202, body: { status: "pending_approval" } });
    const { id, approval_id: approval } = pending.body;
    await restartAt("approval.granted:kill9");
    const path = `/api/v1/approvals/${String(approval)}/approve`;
    expect(await sent(personOf(world), path, { key: "first" })).toBeUndefined();
    await died();
    const [asked] = await world.database.asAdmin<{ state: string }>(
      "select state from approvals where id = $1",
      [approval],
    );
    expect(asked?.state).toBe("pending");
    await restartAt();
    const again = await call({ at, as: personOf(world), path, key: "second" });
    expect(again).toMatchObject({ status: 200, body: { status: "approved" } });
    await eventually(() => expect(heldAtBilling(id)).toMatchObject([{ status: "authorized" }]));
    const captured = await call({
      ...asMerchantCall(world, at),
      path: `/api/v1/charges/${String(id)}/capture`,
      key: `capture-${String(id)}`,
    });
    expect(captured).toMatchObject({ status: 200, body: { status: "captured" } });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(1_000) });
    expect(await isWhole(mandate.id)).toBe(true);
  });
});
