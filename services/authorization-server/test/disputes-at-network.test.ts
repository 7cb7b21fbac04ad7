import { dayMs, type Id, newId, toRfc3339 } from "@remit/kernel";
import type { NetworkDispute } from "@remit/protocol/contracts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Charge } from "../src/charges/index.ts";
import { type DisputesDeps, openDispute, respond } from "../src/disputes/disputes.operations.ts";
import { findDispute } from "../src/disputes/disputes.sql.ts";
import type { Dispute } from "../src/disputes/disputes.ts";
import { lookAfter } from "../src/disputes/lost-money.ts";
import { createDisputeNetwork } from "../src/disputes/network.ts";
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

// One charge, which its principal disputes here and the cardholder's bank at the card network: its money goes back once.
let world: World;
let disputes: DisputesDeps;

beforeAll(async () => {
  world = await createWorld();
  const { db, clock, log, charges, chargesDeps } = world;
  const network = createDisputeNetwork({
    peer: { call: () => Promise.reject(new Error("nobody asks the card network here")) },
    origin: "https://billing.test",
    disputes: () => disputes,
  });
  disputes = { db, clock, log, keyring: chargesDeps.keyring, charges, network };
});
afterAll(() => world.close());

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const person = { type: "account", id: "acc_ada" } as const;
const shop = { type: "merchant", id: "shop" } as const;

async function captured(amount = 1_000): Promise<Charge> {
  const mandate = await giveMandate(world);
  const held = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount }));
  return world.charges.capture(own(world, held.id), order);
}

const open = (charge: Charge, amountMinor?: number): Promise<Dispute> =>
  openDispute(disputes, {
    tenant: world.payer,
    charge: charge.id,
    amountMinor,
    reason: "not_delivered",
    statement: "Nothing came.",
    actor: person,
  });
const accept = (dispute: Dispute) => respond(disputes, dispute, { act: "accept", actor: shop });
const look = ({ payer, id }: Dispute) => lookAfter(disputes, { tenant: payer, dispute: id });

/** The card network's word on a charge, as billing tells it: the same dispute each time. */
function networkOf(charge: Charge, amount = 1_000) {
  const told = {
    id: newId("dispute"),
    charge: charge.id,
    payer: world.payer,
    payee: world.payee,
    reference: "du_1",
    reason: "fraudulent",
    amount_minor: amount,
    currency: "EUR",
    respond_by: null,
    opened_at: toRfc3339(world.clock.now()),
  };
  const says = (status: NetworkDispute["status"]) => disputes.network.take({ ...told, status });
  return { id: told.id, says };
}

/** As both sides have it: they never differ. */
async function now({ id }: { readonly id: Id<"dispute"> }): Promise<Dispute> {
  const [mine, theirs] = await Promise.all(
    [world.payer, world.payee].map((tenant) => world.db.of(tenant).transaction((tx) => findDispute(tx, id))),
  );
  if (mine === undefined) throw new Error("there is no such dispute");
  expect(theirs).toEqual(mine);
  return mine;
}
/** I5: what each side's log has of it. */
async function audited({ id }: { readonly id: Id<"dispute"> }): Promise<string[]> {
  const rows = await world.database.asAdmin<{ tenant: string; event: string }>(
    "select tenant_id as tenant, event from audit_rows where subject = $1 order by event",
    [id],
  );
  const of = (side: string) => rows.filter(({ tenant }) => tenant === side).map(({ event }) => event);
  expect(of(world.payee)).toEqual(of(world.payer));
  return of(world.payer);
}
/** What billing gave back of a charge, and what stands spent of its mandate. */
async function givenBack(charge: Charge) {
  const refunds = [...world.billing.payments.values()]
    .filter((row) => row.charge === charge.id)
    .flatMap((row) => [...row.refunds.values()]);
  const { spent } = await budgetOf(world, charge.mandate);
  return {
    refunds: refunds.filter(({ status }) => status === "succeeded").map(({ amount }) => amount),
    spent: Number(spent / 10_000n),
  };
}

describe("M21 a principal's dispute whose charge the card network disputes too", () => {
  test("ends where the network decides, and is opened again only if that lets go", async () => {
    const charge = await captured();
    const ours = await open(charge);
    const network = networkOf(charge);
    await network.says("needs_response");
    expect(await now(ours)).toMatchObject({ state: "withdrawn", because: "at_network", refund: "none" });
    expect(await audited(ours)).toEqual(["dispute.opened", "dispute.withdrawn"]);
    expect(await refusalOf(accept(ours))).toBe("dispute_state_conflict");
    expect(await look(ours)).toBeUndefined();
    await network.says("lost");
    expect(await refusalOf(open(charge))).toBe("dispute_not_possible");
    expect(await givenBack(charge)).toEqual({ refunds: [], spent: 1_000 });
    await network.says("won");
    const again = await open(charge);
    await accept(again);
    expect(await look(again)).toBeUndefined();
    expect(await givenBack(charge)).toEqual({ refunds: [1_000], spent: 0 });
    expect(await audited(network)).toEqual(["dispute.lost", "dispute.opened", "dispute.won"]);
  });

  test("that its merchant has answered gives way as well, and no deadline of it gives anything back", async () => {
    const charge = await captured();
    const ours = await respond(disputes, await open(charge), {
      act: "answer",
      actor: shop,
      answer: "It was sent.",
    });
    await networkOf(charge).says("under_review");
    world.clock.advance(30 * dayMs);
    expect(await look(ours)).toBeUndefined();
    expect(await now(ours)).toMatchObject({ state: "withdrawn", because: "at_network" });
    expect(await givenBack(charge)).toEqual({ refunds: [], spent: 1_000 });
  });

  test("stands where the first word is that the network has let go", async () => {
    const charge = await captured();
    const ours = await open(charge);
    await networkOf(charge).says("won");
    expect(await now(ours)).toMatchObject({ state: "needs_response" });
  });

  test.each([
    ["lost", { refunds: [], spent: 1_000 }],
    ["won", { refunds: [1_000], spent: 0 }],
    ["withdrawn", { refunds: [1_000], spent: 0 }],
  ] as const)(
    "that was lost and is not given back yet waits for the network: %s there is one movement in all",
    async (word, moved) => {
      const charge = await captured();
      const ours = await accept(await open(charge));
      const network = networkOf(charge);
      await network.says("needs_response");
      expect(await look(ours)).toBe(world.clock.now() + dayMs);
      expect(await givenBack(charge)).toEqual({ refunds: [], spent: 1_000 });
      await network.says(word);
      expect(await look(ours)).toBeUndefined();
      expect(await now(ours)).toMatchObject({ state: "lost", refund: "done" });
      expect(await givenBack(charge)).toEqual(moved);
      expect(await look(ours)).toBeUndefined();
      expect(await givenBack(charge)).toEqual(moved);
    },
  );

  test.each([true, false])(
    "whose refund the network was faster than is asked for anew once it lets go (known before: %s)",
    async (known) => {
      const charge = await captured();
      const ours = await accept(await open(charge));
      const network = networkOf(charge);
      world.billing.fail("refund", "refused");
      // Billing hears of the network's dispute while our request is on its way.
      const { charges } = disputes;
      const late: DisputesDeps = {
        ...disputes,
        charges: {
          ...charges,
          giveBack: async (...asked) => {
            if (known) await network.says("needs_response");
            return charges.giveBack(...asked);
          },
        },
      };
      await lookAfter(late, { tenant: ours.payer, dispute: ours.id });
      if (!known) {
        expect(await now(ours)).toMatchObject({ refund: "refused" });
        await network.says("needs_response");
      }
      expect(await now(ours)).toMatchObject({ refund: "due", refundMinor: undefined, refundAttempt: 2 });
      expect(await look(ours)).toBe(world.clock.now() + dayMs);
      await network.says("won");
      expect(await look(ours)).toBeUndefined();
      expect(await now(ours)).toMatchObject({ refund: "done", refundMinor: 1_000n });
      expect(await givenBack(charge)).toEqual({ refunds: [1_000], spent: 0 });
    },
  );

  test("whose refund was refused while the network had the money is asked for anew, though it let go before anybody noted that", async () => {
    const charge = await captured();
    const ours = await accept(await open(charge));
    const network = networkOf(charge);
    world.billing.fail("refund", "refused");
    const { charges } = disputes;
    const late: DisputesDeps = {
      ...disputes,
      charges: {
        ...charges,
        giveBack: async (...asked) => {
          await network.says("needs_response");
          const refused = charges.giveBack(...asked);
          expect(await refusalOf(refused)).toBe("refund_refused");
          world.clock.advance(1);
          await network.says("won");
          return refused;
        },
      },
    };
    await lookAfter(late, { tenant: ours.payer, dispute: ours.id });
    expect(await now(ours)).toMatchObject({ refund: "due", refundMinor: undefined, refundAttempt: 2 });
    expect(await look(ours)).toBeUndefined();
    expect(await now(ours)).toMatchObject({ refund: "done", refundMinor: 1_000n });
    expect(await givenBack(charge)).toEqual({ refunds: [1_000], spent: 0 });
  });

  test("whose refund is refused after the network has let go is refused for good", async () => {
    const charge = await captured();
    const ours = await accept(await open(charge));
    await networkOf(charge).says("won");
    world.clock.advance(1);
    world.billing.fail("refund", "refused");
    expect(await look(ours)).toBeUndefined();
    expect(await now(ours)).toMatchObject({ refund: "refused", refundAttempt: 1 });
  });

  test("gets what the network took no part of, and what it took only once", async () => {
    const charge = await captured();
    const ours = await accept(await open(charge));
    const network = networkOf(charge, 400);
    await network.says("lost");
    expect(await look(ours)).toBeUndefined();
    expect(await now(ours)).toMatchObject({ refund: "done", refundMinor: 600n });
    expect(await givenBack(charge)).toEqual({ refunds: [600], spent: 400 });
  });

  test("C03 opened in the same instant as the network's, ten times: one of both stands open, never two", async () => {
    for (let round = 0; round < 10; round++) {
      const charge = await captured();
      const network = networkOf(charge);
      const [ours] = await Promise.allSettled([open(charge), network.says("needs_response")]);
      if (ours.status === "rejected")
        expect(await refusalOf(Promise.reject(ours.reason))).toBe("dispute_not_possible");
      else expect(await now(ours.value)).toMatchObject({ state: "withdrawn", because: "at_network" });
      expect((await now(network)).state).toBe("needs_response");
    }
  });
});
