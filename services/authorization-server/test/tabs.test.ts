import { dayMs, hourMs, type Id, instantOf, money } from "@remit/kernel";
import { setFailpoint } from "@remit/platform/failpoint";
import { publicJwkOf } from "@remit/protocol";
import { verifyReceipt } from "@remit/protocol/node";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { settleTab } from "../src/charges/settle-tab.ts";
import { findTab, moveTabRow } from "../src/charges/tabs.sql.ts";
import { checkBudget } from "../src/mandates/index.ts";
import {
  asMerchant,
  budgetOf,
  createWorld,
  giveMandate,
  type IssuedTestMandate,
  issuer,
  own,
  purchase,
  refusalOf,
  type World,
} from "./charging/world.ts";

let world: World;
let mandate: IssuedTestMandate;

beforeAll(async () => {
  world = await createWorld();
  world.billing.least = 50;
});
afterAll(() => world.close());
beforeEach(async () => {
  // Every test's payer is the same one: what another test left unpaid is forgiven.
  await world.database.asAdmin("update tabs set owed_minor = 0 where state = 'unpaid'");
  mandate = await giveMandate(world);
});
afterEach(() => setFailpoint(undefined));

const units = (minor: number): bigint => BigInt(minor) * 10_000n;
const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };

const buy = (amount: number, request: "automatic" | "manual" = "automatic") =>
  world.charges.create(
    asMerchant(world),
    purchase(world, { mandate, amount, offer: { tab: true, tab_minor: 100 }, request: { capture: request } }),
  );

async function tabOf(id: Id<"tab"> | undefined) {
  if (id === undefined) throw new Error("no tab");
  const tab = await world.db.of(world.payer).transaction((tx) => findTab(tx, id));
  if (tab === undefined) throw new Error("no such tab");
  return tab;
}

/** Looks at a tab as its job does; `due` as it will a day later. */
async function settle(tab: Id<"tab"> | undefined, due = false) {
  const { id } = await tabOf(tab);
  if (due) await world.database.asAdmin("update tabs set due_at = opened_at where id = $1", [id]);
  return settleTab(world.chargesDeps, world.payer, id);
}

const revoke = () =>
  world.db.of(world.payer).transaction((tx) =>
    world.mandates.revokeWithin(tx, mandate.id, {
      because: "revoked_by_principal",
      actor: { type: "account", id: world.principal },
    }),
  );

const paymentOf = (charge: string) =>
  [...world.billing.payments.values()].filter((row) => row.charge === charge);

async function audited(tenant: string, subject: string): Promise<string[]> {
  const rows = await world.database.asAdmin<{ event: string }>(
    "select event from audit_rows where tenant_id = $1 and subject = $2",
    [tenant, subject],
  );
  return rows.map(({ event }) => event).toSorted();
}

describe("a purchase on a tab", () => {
  test("is held and spent on the budget at once, and billing hears nothing of it", async () => {
    const held = await buy(5, "manual");
    expect(held.state).toBe("authorized");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: units(5), spent: 0n });
    const captured = await world.charges.capture(own(world, held.id), order);
    expect(captured).toMatchObject({ state: "captured", payment: undefined });
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(5), uses: 1 });
    expect(world.billing.done.filter((line) => line.endsWith(held.id))).toEqual([]);
    const { receipt = "" } = await world.charges.shown(captured);
    const jwk = publicJwkOf(world.keys.keyOf("receipt"));
    const key = { jwk, purpose: "receipt", notBefore: instantOf(held.createdAt - 1_000) } as const;
    expect(verifyReceipt(receipt, { issuer, keys: [key] })).toMatchObject({
      on_tab: true,
      amount_minor: 5,
      payment_reference: null,
      commit_point_at: expect.any(Number),
    });
  });

  test("at or above the tab's limit is a payment of its own; without the offer's word as well", async () => {
    expect((await buy(100)).payment).toBeDefined();
    const plain = await world.charges.create(asMerchant(world), purchase(world, { mandate, amount: 99 }));
    expect(plain).toMatchObject({ state: "authorized", tab: undefined, payment: expect.any(String) });
  });

  test("of what no card can be charged is on none, in whole or in part: its sum could not be charged either", async () => {
    mandate = await giveMandate(world, { currency: "BHD", amount_minor: 100_000 });
    const offer = { currency: "BHD", tab: true, tab_minor: 5_000 };
    const buyFor = (amount: number) =>
      world.charges.create(
        asMerchant(world),
        purchase(world, { mandate, amount, offer, request: { capture: "manual" } }),
      );
    expect((await buyFor(995)).tabLimit).toBeUndefined();
    const held = await buyFor(990);
    expect(held.tabLimit?.units).toBe(5_000n);
    const part = (amountMinor: number) =>
      world.charges.capture(own(world, held.id), { ...order, amountMinor });
    expect(await refusalOf(part(985))).toBe("invalid_request");
    expect((await part(980)).state).toBe("captured");
  });

  test("C01 of 30 at once under a cap of 20 of them exactly 20 are sold, all on one tab", async () => {
    mandate = await giveMandate(world, { amount_minor: 60 });
    const sold = await Promise.allSettled(Array.from({ length: 30 }, () => buy(3)));
    const captured = sold.flatMap((one) => (one.status === "fulfilled" ? [one.value] : []));
    expect(captured).toHaveLength(20);
    expect(new Set(captured.map(({ tab }) => tab)).size).toBe(1);
    expect((await tabOf(captured[0]?.tab)).owed.units).toBe(60n);
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  });

  test("let go, it is not owed", async () => {
    const kept = await buy(10);
    const held = await buy(20, "manual");
    expect((await world.charges.release(own(world, held.id), "cancelled")).state).toBe("released");
    expect((await tabOf(kept.tab)).owed.units).toBe(10n);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: units(10) });
  });
});

describe("a tab is one payment", () => {
  test("at its limit: what was bought until then, and the next purchase opens another", async () => {
    const first = await buy(60);
    expect(await settle(first.tab)).toBe((await tabOf(first.tab)).dueAt);
    await buy(50);
    expect(await settle(first.tab)).toBeUndefined();
    const tab = await tabOf(first.tab);
    expect(tab).toMatchObject({ state: "settled", paymentReference: expect.stringMatching(/^pi_/) });
    expect(paymentOf(tab.charge)).toMatchObject([{ status: "captured", captured: 110 }]);
    const next = await buy(1);
    expect(next.tab).not.toBe(first.tab);
    const events = ["tab.capturing", "tab.settled", "tab.settling"];
    expect(await audited(world.payer, tab.id)).toEqual(events);
    expect(await audited(world.payee, tab.id)).toEqual(events);
  });

  test("after a day, or when its mandate has ended", async () => {
    const bought = await buy(70);
    world.clock.advance(dayMs);
    expect(await settle(bought.tab)).toBeUndefined();
    expect((await tabOf(bought.tab)).state).toBe("settled");
    mandate = await giveMandate(world);
    const other = await buy(70);
    await revoke();
    expect(await settle(other.tab)).toBeUndefined();
    expect((await tabOf(other.tab)).state).toBe("settled");
  });

  test("a mandate that ends sooner than a day makes its tab due then", async () => {
    const validUntil = new Date(world.clock.now() + hourMs).toISOString();
    mandate = await giveMandate(world, { valid_until: validUntil });
    const bought = await buy(7);
    expect((await tabOf(bought.tab)).dueAt).toBeLessThanOrEqual(world.clock.now() + hourMs);
  });

  test("C03 charged by ten at once, it is one payment", async () => {
    const bought = await buy(99);
    await Promise.all(Array.from({ length: 10 }, () => settle(bought.tab, true)));
    for (let look = 0; look < 5 && (await settle(bought.tab, true)) !== undefined; look++);
    const tab = await tabOf(bought.tab);
    expect(tab.state).toBe("settled");
    expect(world.billing.done.filter((line) => line.endsWith(tab.charge))).toEqual([
      `hold ${tab.charge}`,
      `capture ${tab.charge}`,
    ]);
  });

  test("C03 who comes second while it is being charged looks again: nobody's job ends before the payment does", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "stuck");
    const looks = await Promise.all(Array.from({ length: 10 }, () => settle(bought.tab, true)));
    expect((await tabOf(bought.tab)).state).toBe("settling");
    expect(looks).not.toContain(undefined);
  });

  test.each(["tab.settling", "tab.capturing"])(
    "M01 a crash at %s is read back and goes on: one payment",
    async (at) => {
      const bought = await buy(60);
      setFailpoint({ name: at, does: "error" });
      await expect(settle(bought.tab, true)).rejects.toThrow(at);
      for (let look = 0; look < 5 && (await settle(bought.tab)) !== undefined; look++);
      const tab = await tabOf(bought.tab);
      expect(tab.state).toBe("settled");
      expect(paymentOf(tab.charge)).toMatchObject([{ status: "captured", captured: 60 }]);
    },
  );

  test.each(["hold", "capture"])("M06 a lost answer to its %s is read back", async (verb) => {
    const bought = await buy(60);
    world.billing.fail(verb, "answer_lost");
    for (let look = 0; look < 5 && (await settle(bought.tab, true)) !== undefined; look++);
    const tab = await tabOf(bought.tab);
    expect(tab.state).toBe("settled");
    expect(world.billing.done.filter((line) => line.endsWith(tab.charge))).toHaveLength(2);
  });
});

describe("a tab that is not paid", () => {
  test("R06 because billing's books are wrong is asked for until it is: no day of its payer's is used up, no mandate suspended", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "halted", 5);
    for (let look = 0; look < 5; look++) {
      expect(await settle(bought.tab, true)).toBeGreaterThan(world.clock.now());
      expect(await tabOf(bought.tab)).toMatchObject({ state: "settling", generation: 1 });
      world.clock.advance(dayMs);
    }
    expect(await buy(5)).toMatchObject({ state: "captured", tab: expect.any(String) });
    expect(await settle(bought.tab)).toBeUndefined();
    const { charge, ...tab } = await tabOf(bought.tab);
    expect(tab).toMatchObject({ state: "settled", generation: 1 });
    expect(paymentOf(charge)).toMatchObject([{ status: "captured", captured: 60 }]);
  });

  test("suspends its mandate, is asked for once a day, three times, and then stays unpaid", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "declined", 3);
    for (let day = 1; day <= 3; day++) {
      const again = await settle(bought.tab, true);
      expect(await tabOf(bought.tab)).toMatchObject({
        state: "unpaid",
        generation: day,
        because: "card_declined",
      });
      expect(again).toBe(day < 3 ? world.clock.now() + dayMs : undefined);
      world.clock.advance(dayMs);
    }
    expect(await settle(bought.tab)).toBeUndefined();
    expect(await refusalOf(buy(5))).toBe("mandate_suspended");
  });

  test("M01 is not asked for again before its day is over, also when who was told no has died", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "declined");
    const again = await settle(bought.tab, true);
    world.clock.advance(hourMs);
    expect(await settle(bought.tab)).toBe(again);
    expect(await tabOf(bought.tab)).toMatchObject({ state: "unpaid", generation: 1 });
  });

  test("gives its payer no other one there, under whichever mandate, until it is paid", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "declined");
    await settle(bought.tab, true);
    mandate = await giveMandate(world);
    expect(await refusalOf(buy(5))).toBe("charge_tab_unpaid");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
    // What a card can be charged is a payment of its own, and waits for no day.
    expect(await buy(60)).toMatchObject({ state: "captured", tab: undefined, payment: expect.any(String) });
    world.clock.advance(dayMs);
    await settle(bought.tab);
    mandate = await giveMandate(world);
    expect(await buy(5)).toMatchObject({ state: "captured", tab: expect.any(String), payment: undefined });
  });

  test("was known to its payer already: the same presentation is told of its charge all the same", async () => {
    const request = purchase(world, {
      mandate,
      amount: 60,
      offer: { tab: true, tab_minor: 100 },
      request: { capture: "automatic" },
    });
    const bought = await world.charges.create(asMerchant(world), request);
    world.billing.fail("hold", "declined");
    await settle(bought.tab, true);
    expect((await world.charges.create(asMerchant(world), request)).id).toBe(bought.id);
  });

  test("of less than a card can be charged is forgotten, as long as all of them are no more than that", async () => {
    for (const amount of [30, 19, 1]) {
      const bought = await buy(amount);
      expect(bought.tab).toBeDefined();
      await revoke();
      expect(await settle(bought.tab)).toBeUndefined();
      mandate = await giveMandate(world);
    }
    expect(await refusalOf(buy(1))).toBe("charge_tab_unpaid");
  });

  test("is paid by a card that works the next day", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "declined");
    await settle(bought.tab, true);
    expect(await tabOf(bought.tab)).toMatchObject({ state: "unpaid", because: "card_declined" });
    world.clock.advance(dayMs);
    await settle(bought.tab);
    expect(await tabOf(bought.tab)).toMatchObject({ state: "settled", generation: 2 });
  });

  test("whose issuer wants the holder is let go of, and never asked for again without them", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "requires_action");
    expect(await settle(bought.tab, true)).toBeUndefined();
    world.clock.advance(dayMs);
    expect(await settle(bought.tab, true)).toBeUndefined();
    const tab = await tabOf(bought.tab);
    expect(tab).toMatchObject({ state: "unpaid", because: "authentication_required", generation: 1 });
    expect(world.billing.done.filter((line) => line.endsWith(tab.charge))).toEqual([
      `hold ${tab.charge}`,
      `release ${tab.charge}`,
    ]);
  });

  test("with less on it than a card can be charged waits for more, and harms nobody's mandate", async () => {
    const bought = await buy(7);
    world.clock.advance(dayMs);
    expect(await settle(bought.tab)).toBe(world.clock.now() + dayMs);
    expect((await tabOf(bought.tab)).state).toBe("open");
    expect((await buy(43)).tab).toBe(bought.tab);
    expect(await settle(bought.tab)).toBeUndefined();
    const tab = await tabOf(bought.tab);
    expect(paymentOf(tab.charge)).toMatchObject([{ status: "captured", captured: 50 }]);
  });

  test("with less on it than a card can be charged is written off when its mandate ends, and never asked for", async () => {
    const bought = await buy(7);
    await revoke();
    expect(await settle(bought.tab)).toBeUndefined();
    const tab = await tabOf(bought.tab);
    expect(tab).toMatchObject({ state: "unpaid", because: "amount_too_small" });
    expect(paymentOf(tab.charge)).toEqual([]);
    world.clock.advance(dayMs);
    expect(await settle(bought.tab, true)).toBeUndefined();
  });

  test("a purchase that comes while an empty tab is closed is not lost", async () => {
    const bought = await buy(60);
    await world.charges.refund(own(world, bought.id), { key: "all", amountMinor: undefined });
    const empty = await tabOf(bought.tab);
    const more = await buy(60);
    expect(more.tab).toBe(bought.tab);
    const late = { to: "settled", now: world.clock.now(), ifOwed: empty.owed.units } as const;
    const moved = await world.db.of(world.payer).transaction((tx) => moveTabRow(tx, empty, late));
    expect(moved).toBeUndefined();
    expect((await tabOf(bought.tab)).owed.units).toBe(60n);
  });
});

describe("a refund", () => {
  const refund = (id: Id<"charge">, key: string, amountMinor?: number) =>
    world.charges.refund(own(world, id), { key, amountMinor });

  test("before the tab is charged takes it off, and nothing is left to charge", async () => {
    const bought = await buy(60);
    expect(await refund(bought.id, "a", 10)).toMatchObject({ state: "captured", refunded: { units: 10n } });
    expect((await refund(bought.id, "b")).state).toBe("refunded");
    expect(await budgetOf(world, mandate.id)).toMatchObject({ spent: 0n });
    await settle(bought.tab, true);
    const tab = await tabOf(bought.tab);
    expect(tab).toMatchObject({ state: "settled", owed: money(tab.owed.asset, 0n) });
    expect(paymentOf(tab.charge)).toEqual([]);
  });

  test("after it is a part of the tab's payment", async () => {
    const bought = await buy(60);
    await buy(40);
    await settle(bought.tab, true);
    expect((await refund(bought.id, "a")).state).toBe("refunded");
    const tab = await tabOf(bought.tab);
    const [payment] = paymentOf(tab.charge);
    expect([...(payment?.refunds.values() ?? [])]).toEqual([{ amount: 60, status: "succeeded" }]);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ spent: units(40) });
  });

  test("while it is being charged waits for what comes of it", async () => {
    const bought = await buy(60);
    world.billing.fail("hold", "stuck");
    await settle(bought.tab, true);
    expect((await tabOf(bought.tab)).state).toBe("settling");
    expect((await refund(bought.id, "a")).state).toBe("refunding");
    expect(await world.charges.recover(world.payer, bought.id)).toBeDefined();
    expect((await tabOf(bought.tab)).owed.units).toBe(60n);
  });
});
