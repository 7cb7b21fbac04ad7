import { type Id, newId, parseId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { newEvent } from "@remit/protocol";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { lookAtFailedRefund } from "../src/charges/failed-refunds.ts";
import type { Charge } from "../src/charges/index.ts";
import { checkBudget } from "../src/mandates/index.ts";
import { takeReported } from "../src/planning.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  own,
  purchase,
  refusalOf,
  type World,
} from "./charging/world.ts";

let world: World;
let mandate: Awaited<ReturnType<typeof giveMandate>>;
beforeEach(async () => {
  world = await createWorld();
  mandate = await giveMandate(world, { amount_minor: 1_500 });
});
afterEach(() => world.close());

const whole = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

/** 10.00 that were bought, of which so much was given back. */
async function refunded(amountMinor: number): Promise<Charge> {
  const { id } = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 1_000 }));
  await world.charges.capture(own(world, id), whole);
  return world.charges.refund(own(world, id), { key: "refund-1", amountMinor });
}

/** Its bank sends back what was refunded last, and billing says so as often as wanted. */
async function sendBack({ id }: Charge): Promise<Id<"refund">> {
  const refund = parseId("refund", world.billing.sendBack(id));
  if (refund === undefined) throw new TypeError("nothing was refunded");
  return refund;
}
const look = (refund: Id<"refund">) => world.charges.lookAtFailedRefund({ tenant: world.payer, refund });
const stands = async ({ id }: Charge) => {
  const side = { side: "payer", tenant: world.payer, agent: undefined } as const;
  const payees = { side: "payee", tenant: world.payee, client: world.merchant.client } as const;
  const [mine, theirs] = [await world.charges.whole(side, id), await world.charges.show(payees, id)];
  expect(theirs?.charge).toMatchObject({ state: mine?.state, refundedMinor: mine?.refunded.units });
  return { state: mine?.state, refunded: mine?.refunded.units };
};
const told = async ({ id }: Charge) =>
  (
    await world.database.asAdmin<{ tenant_id: string; payload: Record<string, unknown> }>(
      "select tenant_id, body::jsonb -> 'payload' as payload from audit_rows where subject = $1 and event = 'charge.refund_failed' order by tenant_id",
      [id],
    )
  ).map(({ tenant_id, payload }) => ({ tenant: tenant_id, ...payload }));
async function agrees(spent: bigint): Promise<void> {
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent });
  expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
}

describe("R04 a refund that came back after the charge was shown as refunded", () => {
  test.each([
    ["all", 1_000],
    ["a part", 400],
  ])(
    "R04 of %s of it is refunded no more, spent again, and said to both sides, once however often it is heard",
    async (_, minor) => {
      const charge = await refunded(minor);
      expect(await stands(charge)).toMatchObject({ refunded: BigInt(minor) });
      const refund = await sendBack(charge);
      await Promise.all([look(refund), look(refund), look(refund)]);
      expect(await look(refund)).toBeUndefined();
      expect(await stands(charge)).toEqual({ state: "captured", refunded: 0n });
      await agrees(10_000_000n);
      const said = { refund, amount_minor: minor, refunded_minor: 0, budget_minor: minor };
      const logs = await told(charge);
      expect(new Set(logs.map(({ tenant }) => tenant))).toEqual(new Set([world.payer, world.payee]));
      expect(logs).toMatchObject([said, said]);
      // The request is over, as one that was refused; what still has to go back is asked for anew.
      const again = { key: "refund-1", amountMinor: minor };
      expect(await refusalOf(world.charges.refund(own(world, charge.id), again))).toBe("refund_refused");
      await world.charges.refund(own(world, charge.id), { key: "refund-2", amountMinor: 1_000 });
      expect(await stands(charge)).toEqual({ state: "refunded", refunded: 1_000n });
      await agrees(0n);
    },
  );

  test("R04 is what billing says that it is, and not what is reported of it", async () => {
    const charge = await refunded(400);
    const [refund = ""] = [...(world.billing.payments.get(`${charge.id}.1`)?.refunds.keys() ?? [])];
    expect(await look(parseId("refund", refund) ?? newId("refund"))).toBeUndefined();
    expect(await look(newId("refund"))).toBeUndefined();
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 400n });
    await agrees(6_000_000n);
    world.billing.fail("read", "lost");
    const back = await sendBack(charge);
    expect(await look(back)).toBeGreaterThan(world.clock.now());
    expect(await stands(charge)).toMatchObject({ refunded: 400n });
    expect(await look(back)).toBeUndefined();
    expect(await stands(charge)).toMatchObject({ refunded: 0n });
  });

  test("R04 waits for another refund that is under way, which counts on what was refunded before it", async () => {
    const charge = await refunded(400);
    const back = await sendBack(charge);
    world.billing.fail("refund", "answer_lost");
    world.billing.fail("read", "lost");
    const other = { key: "refund-2", amountMinor: 300 };
    await refusalOf(world.charges.refund(own(world, charge.id), other));
    expect(await look(back)).toBeGreaterThan(world.clock.now());
    await world.charges.recover(world.payer, charge.id);
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 700n });
    expect(await look(back)).toBeUndefined();
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 300n });
    await agrees(7_000_000n);
  });

  test("R04 spends no budget above its cap: what was bought since with the money that was back stands", async () => {
    const charge = await refunded(1_000);
    const { id } = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 1_200 }));
    await world.charges.capture(own(world, id), whole);
    await look(await sendBack(charge));
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 0n });
    expect(await told(charge)).toMatchObject([{ budget_minor: 300 }, { budget_minor: 300 }]);
    await agrees(15_000_000n);
    // All of it is given back at last: of the budget no more than what was spent again, as the rest of it was back before.
    await world.charges.refund(own(world, charge.id), { key: "refund-2", amountMinor: 1_000 });
    expect(await stands(charge)).toEqual({ state: "refunded", refunded: 1_000n });
    await agrees(12_000_000n);
  });

  test("R04 gives a budget nothing back twice: a part that it has still is not room for more", async () => {
    const charge = await refunded(400);
    const { id } = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 900 }));
    await world.charges.capture(own(world, id), whole);
    await look(await sendBack(charge));
    await agrees(15_000_000n);
    const refund = (key: string, amountMinor: number) =>
      world.charges.refund(own(world, charge.id), { key, amountMinor });
    await refund("refund-2", 300);
    await agrees(15_000_000n);
    await refund("refund-3", 300);
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 600n });
    await agrees(13_000_000n);
  });

  test("R04 is not overlooked when the answer from before it failed is taken over in the middle of the look", async () => {
    const { id } = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 1_000 }));
    const charge = await world.charges.capture(own(world, id), whole);
    world.billing.fail("refund", "answer_lost");
    world.billing.fail("read", "lost");
    await refusalOf(world.charges.refund(own(world, id), { key: "refund-1", amountMinor: 400 }));
    const back = async (): Promise<void> => {
      await world.charges.recover(world.payer, id);
      await sendBack(charge);
    };
    const [refund = ""] = [...(world.billing.payments.get(`${id}.1`)?.refunds.keys() ?? [])];
    let isFirst = true;
    const db: Database = {
      ...world.db,
      of: (tenant) => ({
        tenant,
        transaction: async (work) => {
          const found = await world.db.of(tenant).transaction(work);
          if (isFirst) {
            isFirst = false;
            await back();
          }
          return found;
        },
      }),
    };
    const of = { tenant: world.payer, refund: parseId("refund", refund) ?? newId("refund") };
    expect(await lookAtFailedRefund({ ...world.chargesDeps, db }, of)).toBeUndefined();
    expect(await stands(charge)).toEqual({ state: "captured", refunded: 0n });
    await agrees(10_000_000n);
  });

  test("R04 is looked at once billing's report of it is in the log", async () => {
    const charge = await refunded(400);
    const refund = await sendBack(charge);
    const actor = { type: "system", id: "billing" } as const;
    const payload = {
      charge: charge.id,
      refund,
      amount_minor: 400,
      currency: "EUR",
      because: "expired_card",
    };
    const subject = charge.payment ?? newId("payment");
    const reported = newEvent(
      "payment.refund_failed",
      { tenant: world.payer, actor, subject, payload },
      world.clock.now(),
    );
    await takeReported(world.db, {
      suspendWithin: async () => Promise.reject(new Error("no mandate is suspended for a refund")),
    })(reported);
    const jobs = await world.database.asAdmin("select payload from jobs where key = $1", [refund]);
    expect(jobs).toEqual([{ payload: { tenant: world.payer, refund } }]);
  });
});
