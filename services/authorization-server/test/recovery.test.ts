import { hourMs, secondMs } from "@remit/kernel";
import { createJobs } from "@remit/platform/jobs";
import { createLog } from "@remit/platform/telemetry";
import { eventually } from "@remit/testkit";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { chargeJobs } from "../src/charges/index.ts";
import { startRelease } from "../src/charges/transitions.ts";
import { checkBudget } from "../src/mandates/index.ts";
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
  mandate = await giveMandate(world);
});
afterEach(() => world.close());

const order = { amountMinor: undefined, responseDigest: undefined, requestDigest: undefined };
const charge = () => world.charges.create(asMerchant(world), purchase(world, { mandate }));
const recover = (id: Parameters<World["charges"]["recover"]>[1]) => world.charges.recover(world.payer, id);
const effects = (id: string): string[] =>
  world.billing.done.filter((line) => line.endsWith(id)).map((line) => line.split(" ")[0] ?? "");

async function stateOf(id: string): Promise<string> {
  const [row] = await world.database.asAdmin<{ state: string }>("select state from charges where id = $1", [
    id,
  ]);
  return row?.state ?? "none";
}

async function expectFree(): Promise<void> {
  expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 0n, uses: 0 });
  expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
}

/** The charge as a killed process leaves it: its transaction is durable, and nobody drives it. */
async function abandoned(): Promise<{
  id: Awaited<ReturnType<typeof charge>>["id"];
  request: ReturnType<typeof purchase>;
}> {
  const request = purchase(world, { mandate });
  world.billing.fail("hold", "lost");
  world.billing.fail("read", "lost");
  const { id, state } = await world.charges.create(asMerchant(world), request);
  expect(state).toBe("authorizing");
  return { id, request };
}

describe("before the commit point a charge goes back", () => {
  test("M01 a process that died before billing heard of it: the hold is freed, and no payment was made", async () => {
    const { id } = await abandoned();
    world.clock.advance(10 * secondMs);
    expect(await recover(id)).toBeUndefined();
    expect(await stateOf(id)).toBe("released");
    expect(effects(id)).toEqual(["release"]);
    await expectFree();
  });

  test("M01 a hold that arrives after the release cannot take money any more", async () => {
    const { id, request } = await abandoned();
    await recover(id);
    const again = await world.charges.create(asMerchant(world), request);
    expect(again).toMatchObject({ id, state: "released" });
    expect(effects(id)).toEqual(["release"]);
  });

  test("M01 the same request sent again before recovery goes on with the same charge", async () => {
    const { id, request } = await abandoned();
    const resumed = await world.charges.create(asMerchant(world), request);
    expect(resumed).toMatchObject({ id, state: "authorized" });
    expect(effects(id)).toEqual(["hold"]);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ uses: 1 });
  });

  test("M02 an answer of billing that was lost is read back: one payment, whoever goes on", async () => {
    world.billing.fail("hold", "answer_lost");
    const held = await charge();
    expect(held.state).toBe("authorized");
    expect(effects(held.id)).toEqual(["hold"]);
  });

  test("M02 recovery finds the hold that a dead process had sent, and releases it at serve_by", async () => {
    world.billing.fail("hold", "answer_lost");
    world.billing.fail("read", "lost");
    const { id, state, serveBy } = await charge();
    expect(state).toBe("authorizing");
    expect(await recover(id)).toBe(serveBy);
    expect(await stateOf(id)).toBe("authorized");
    world.clock.set(serveBy);
    expect(await recover(id)).toBeUndefined();
    expect(effects(id)).toEqual(["hold", "release"]);
    await expectFree();
  });

  test("M03 an authorised charge that nobody serves is released once serve_by has passed, not before", async () => {
    const { id, serveBy } = await charge();
    expect(await recover(id)).toBe(serveBy);
    expect(effects(id)).toEqual(["hold"]);
    world.clock.advance(60 * secondMs);
    await recover(id);
    expect(await stateOf(id)).toBe("released");
    await expectFree();
    expect(await refusalOf(world.charges.capture(own(world, id), order))).toBe("charge_state_conflict");
  });

  test("M14 a release whose answer is lost is asked again until billing has let go", async () => {
    const { id } = await charge();
    world.billing.fail("release", "lost");
    world.billing.fail("read", "lost", 2);
    expect((await world.charges.release(own(world, id), "cancelled")).state).toBe("releasing");
    expect((await budgetOf(world, mandate.id)).held).toBeGreaterThan(0n);
    expect(await recover(id)).toBeDefined();
    expect((await budgetOf(world, mandate.id)).held).toBeGreaterThan(0n);
    expect(await recover(id)).toBeUndefined();
    expect(effects(id)).toEqual(["hold", "release"]);
    await expectFree();
  });

  test("D07 a billing that is down holds no money: the hold is freed when it is back", async () => {
    world.billing.fail("hold", "500", 9);
    world.billing.fail("read", "lost", 9);
    const { id, state } = await charge();
    expect(state).toBe("authorizing");
    const next = await recover(id);
    expect(next).toBeGreaterThan(world.clock.now());
    world.billing.fail("read", "lost", 0);
    expect(await recover(id)).toBeUndefined();
    await expectFree();
  });

  test("D07 a hold that hangs at billing for hours leaves the budget at serve_by, and is voided there", async () => {
    world.billing.fail("hold", "stuck");
    const { id, state } = await charge();
    expect(state).toBe("authorizing");
    expect(await recover(id)).toBeDefined();
    expect(await stateOf(id)).toBe("authorizing");
    world.clock.advance(3_600 * secondMs);
    expect(await recover(id)).toBeUndefined();
    expect(await stateOf(id)).toBe("released");
    expect(world.billing.payments.get(`${id}.1`)?.status).toBe("released");
    await expectFree();
  });

  test("D07 a billing away for hours: the release waits for it, and the hold that comes late finds it", async () => {
    const { id, request } = await abandoned();
    world.clock.advance(3 * 3_600 * secondMs);
    world.billing.fail("release", "lost", 9);
    world.billing.fail("read", "lost", 9);
    expect(await recover(id)).toBeDefined();
    expect(await stateOf(id)).toBe("releasing");
    expect((await budgetOf(world, mandate.id)).held).toBeGreaterThan(0n);
    world.billing.fail("release", "lost", 0);
    world.billing.fail("read", "lost", 0);
    expect(await recover(id)).toBeUndefined();
    expect((await world.charges.create(asMerchant(world), request)).state).toBe("released");
    expect(effects(id)).toEqual(["release"]);
    await expectFree();
  });

  test("R06 a hold that billing refuses while its books are wrong is no payment, and frees the budget at once", async () => {
    const { request, id } = await abandoned();
    world.billing.fail("hold", "halted");
    const refused = await world.charges.create(asMerchant(world), request);
    expect(refused).toMatchObject({ id, state: "declined", because: "payouts_halted" });
    await expectFree();
  });

  test("M01 a hold refused when it is sent again is released first: the one sent before may still arrive", async () => {
    const { request, id } = await abandoned();
    world.billing.fail("hold", "no_instrument");
    const refused = await world.charges.create(asMerchant(world), request);
    expect(refused).toMatchObject({ id, state: "declined", because: "instrument_missing" });
    expect(effects(id)).toEqual(["release"]);
    expect(world.billing.payments.get(`${id}.1`)?.status).toBe("released");
    await expectFree();
  });

  test("M01 a refused hold whose release is not confirmed keeps the budget until it is", async () => {
    const { request, id } = await abandoned();
    world.billing.fail("hold", "no_instrument");
    world.billing.fail("release", "lost");
    expect((await world.charges.create(asMerchant(world), request)).state).toBe("authorizing");
    expect((await budgetOf(world, mandate.id)).held).toBeGreaterThan(0n);
    expect(await recover(id)).toBeUndefined();
    await expectFree();
  });

  test("a release asked of a charge that has ended, or goes back already, is no second event", async () => {
    const { id } = await charge();
    const stale = await world.charges.release(own(world, id), "cancelled");
    expect(stale.state).toBe("released");
    // All that it uses before it returns: the other members would be there for a release that begins.
    const deps = { db: world.db, clock: world.clock } as unknown as Parameters<typeof startRelease>[0];
    for (const state of ["released", "releasing", "captured"] as const)
      expect(await startRelease(deps, { ...stale, state }, { because: "again" })).toMatchObject({ state });
    const events = await world.database.asAdmin(
      "select 1 from audit_rows where tenant_id = $1 and subject = $2 and event = 'charge.releasing'",
      [world.payer, id],
    );
    expect(events).toHaveLength(1);
  });
});

describe("after the commit point a charge is captured", () => {
  test("M06 a capture whose answer was lost is read back and captured once, with its receipt", async () => {
    const { id } = await charge();
    world.billing.fail("capture", "answer_lost");
    world.billing.fail("read", "lost");
    expect((await world.charges.capture(own(world, id), order)).state).toBe("capturing");
    expect(await recover(id)).toBeUndefined();
    const shown = await world.charges.show({ side: "payee", ...asMerchant(world) }, id);
    expect(shown?.charge).toMatchObject({ state: "captured", capturedMinor: 1_000n });
    expect(shown?.receipt).toMatch(/^eyJ/);
    expect(effects(id)).toEqual(["hold", "capture"]);
  });

  test("M09 a capture that times out is read back, never cancelled blindly", async () => {
    const { id } = await charge();
    world.billing.fail("capture", "answer_lost");
    const captured = await world.charges.capture(own(world, id), order);
    expect(captured.state).toBe("captured");
    expect(effects(id)).toEqual(["hold", "capture"]);
  });

  test("M09 a capture that never arrived is sent again, also after serve_by and a revocation", async () => {
    const { id } = await charge();
    world.billing.fail("capture", "lost", 2);
    world.billing.fail("read", "lost");
    expect((await world.charges.capture(own(world, id), order)).state).toBe("capturing");
    world.clock.advance(300 * secondMs);
    const why = { because: "test", actor: { type: "account", id: "acc_test" } } as const;
    await world.db.of(world.payer).transaction((tx) => world.mandates.revokeWithin(tx, mandate.id, why));
    await recover(id);
    expect(await recover(id)).toBeUndefined();
    expect(await stateOf(id)).toBe("captured");
    expect(effects(id)).toEqual(["hold", "capture"]);
  });

  test("M10 a 500 on capture is read back and captured again", async () => {
    const { id } = await charge();
    world.billing.fail("capture", "500");
    expect((await world.charges.capture(own(world, id), order)).state).toBe("captured");
    expect(effects(id)).toEqual(["hold", "capture"]);
  });

  test("a capture that is finally refused is released, and nothing is spent", async () => {
    const { id } = await charge();
    world.billing.fail("capture", "declined");
    const ended = await world.charges.capture(own(world, id), order);
    expect(ended).toMatchObject({ state: "released", because: "capture_refused" });
    await expectFree();
  });

  test("M08 a capture asked again after it was done answers the same charge and receipt", async () => {
    const { id } = await charge();
    const first = await world.charges.capture(own(world, id), order);
    const again = await world.charges.capture(own(world, id), order);
    expect(again).toEqual(first);
    expect(effects(id)).toEqual(["hold", "capture"]);
  });

  test("a refund whose answer was lost is one refund", async () => {
    const { id } = await charge();
    await world.charges.capture(own(world, id), order);
    world.billing.fail("refund", "answer_lost");
    world.billing.fail("read", "lost");
    const asked = { key: "refund-1", amountMinor: 400 };
    expect((await world.charges.refund(own(world, id), asked)).state).toBe("refunding");
    expect(await refusalOf(world.charges.refund(own(world, id), { ...asked, key: "refund-2" }))).toBe(
      "charge_in_progress",
    );
    expect(await recover(id)).toBeUndefined();
    const again = await world.charges.refund(own(world, id), asked);
    expect(again).toMatchObject({ state: "captured", refunded: { units: 400n } });
    expect(effects(id)).toEqual(["hold", "capture", "refund"]);
  });
});

describe("a refund that billing refuses", () => {
  const asked = { key: "refund-1", amountMinor: 400 };
  const captured = async () => {
    const { id } = await charge();
    await world.charges.capture(own(world, id), order);
    return id;
  };
  const eventsOf = async (id: string): Promise<string[]> => {
    const rows = await world.database.asAdmin<{ event: string }>(
      "select event from audit_rows where tenant_id = $1 and subject = $2 and event like 'charge.refund%'",
      [world.payee, id],
    );
    return rows.map(({ event }) => event).toSorted();
  };

  test("is over at once: the caller is told, the charge is captured, and it is never sent again", async () => {
    const id = await captured();
    world.billing.fail("refund", "refused");
    expect(await refusalOf(world.charges.refund(own(world, id), asked))).toBe("refund_refused");
    expect(await stateOf(id)).toBe("captured");
    expect(await eventsOf(id)).toEqual(["charge.refund_refused", "charge.refunding"]);
    expect(await refusalOf(world.charges.refund(own(world, id), asked))).toBe("refund_refused");
    expect(await recover(id)).toBeUndefined();
    expect(world.billing.asked.filter((verb) => verb === "refund")).toHaveLength(1);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ spent: 10_000_000n });
    const anew = await world.charges.refund(own(world, id), { key: "refund-2", amountMinor: 1_000 });
    expect(anew).toMatchObject({ state: "refunded", refunded: { units: 1_000n } });
  });

  test("is seen by recovery too when the answer was lost", async () => {
    const id = await captured();
    world.billing.fail("refund", "refused");
    world.billing.fail("read", "lost");
    const { payments } = world.billing;
    await world.charges.refund(own(world, id), asked).catch(() => undefined);
    expect(payments.get(`${id}.1`)?.refunds.size).toBe(1);
    expect(await recover(id)).toBeUndefined();
    expect(await stateOf(id)).toBe("captured");
    expect(await refusalOf(world.charges.refund(own(world, id), asked))).toBe("refund_refused");
  });

  test("is over as well when billing knows that so much was never left", async () => {
    const id = await captured();
    world.billing.fail("refund", "exceeds");
    expect(await refusalOf(world.charges.refund(own(world, id), asked))).toBe("refund_refused");
    expect(await stateOf(id)).toBe("captured");
  });
});

describe("a key names one refund", () => {
  test("another amount under a key is refused, also after a charge_in_progress; all is no amount", async () => {
    const { id } = await charge();
    await world.charges.capture(own(world, id), order);
    world.billing.fail("refund", "lost");
    world.billing.fail("read", "lost");
    const refund = (key: string, amountMinor: number | undefined) =>
      world.charges.refund(own(world, id), { key, amountMinor });
    expect((await refund("all", undefined)).state).toBe("refunding");
    expect(await refusalOf(refund("all", 1_000))).toBe("idempotency_conflict");
    expect(await refusalOf(refund("all", 400))).toBe("idempotency_conflict");
    expect((await refund("all", undefined)).state).toBe("refunded");
    expect(await refusalOf(refund("all", 1_000))).toBe("idempotency_conflict");
  });

  test("nor is an amount all that is left", async () => {
    const { id } = await charge();
    await world.charges.capture(own(world, id), order);
    const refund = (amountMinor: number | undefined) =>
      world.charges.refund(own(world, id), { key: "part", amountMinor });
    expect((await refund(300)).refunded.units).toBe(300n);
    expect(await refusalOf(refund(undefined))).toBe("idempotency_conflict");
    expect(await refusalOf(refund(301))).toBe("idempotency_conflict");
    expect((await refund(300)).refunded.units).toBe(300n);
  });
});

describe("several drivers", () => {
  test("C16 two recoveries and the caller at once: each verb has one effect, the budget one end", async () => {
    const { id } = await charge();
    await Promise.all([
      world.charges.capture(own(world, id), order),
      world.charges.capture(own(world, id), order).catch(() => undefined),
      recover(id),
      recover(id),
    ]);
    await recover(id);
    expect(await stateOf(id)).toBe("captured");
    expect(effects(id)).toEqual(["hold", "capture"]);
    expect(await budgetOf(world, mandate.id)).toMatchObject({ held: 0n, spent: 10_000_000n });
  });

  test("a release that meets a capture: one of them wins", async () => {
    for (let round = 0; round < 5; round++) {
      const { id } = await charge();
      await Promise.allSettled([
        world.charges.capture(own(world, id), order),
        world.charges.release(own(world, id), "cancelled"),
      ]);
      await recover(id);
      const state = await stateOf(id);
      expect(["captured", "released"]).toContain(state);
      expect(effects(id)).toEqual(["hold", state === "captured" ? "capture" : "release"]);
    }
    expect(await world.db.of(world.payer).transaction((tx) => checkBudget(tx, mandate.id))).toBe(true);
  });

  test("claims are forgotten once their mandate has expired, and by no clock that is some hours ahead", async () => {
    const { id } = await charge();
    const claims = () => world.database.asAdmin("select 1 from presentation_claims");
    await recover(id);
    expect(await claims()).toHaveLength(1);
    const found = await world.mandates.find(world.payer, mandate.id);
    world.clock.advance((found?.mandate.expiresAt ?? 0) - world.clock.now() + 23 * hourMs);
    await recover(id);
    expect(await claims()).toHaveLength(1);
    world.clock.advance(2 * hourMs);
    await recover(id);
    expect(await claims()).toHaveLength(0);
  });

  test("each charge has a job that looks at it until it is over", async () => {
    const log = createLog({ service: "test", level: "silent" });
    const jobs = chargeJobs(createJobs({ db: world.db, log, clock: world.clock, pollMs: 20 }), world.charges);
    const { id } = await charge();
    await jobs.start();
    try {
      world.clock.advance(61 * secondMs);
      await eventually(async () => (await stateOf(id)) === "released");
    } finally {
      await jobs.stop();
    }
    await expectFree();
  });
});
