import { after, assetOf, hourMs, money, newId, split, systemClock } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { migrations } from "../tables.ts";
import { type FeeTerms, feeOf } from "./fees.ts";
import { type NewSchedule, type Subject, schedulesOf, setSchedule, termsOf } from "./schedules.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase({ service: "billing", sources: migrations });
  db = database.open({ record: recordToOutbox });
});
afterAll(() => database.drop());

const now = systemClock.now();
const asset = (code: string) => {
  const found = assetOf(code);
  if (found === undefined) throw new TypeError(code);
  return found;
};
const usd = (units: bigint) => money(asset("USD"), units);
const subject = (): Subject => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const by = { actor: { type: "client", id: "cli_operator" }, now } as const;
const tier = (from: bigint, basisPoints: number, fixed = 0n, minimum = 0n) => ({
  from,
  basisPoints,
  fixed,
  minimum,
});
const schedule = (of: Subject | null, more: Partial<NewSchedule> = {}): NewSchedule => ({
  rail: "card",
  subject: of,
  currency: "USD",
  collection: "withheld",
  rounding: "half-even",
  effectiveFrom: now,
  effectiveUntil: null,
  tiers: [tier(0n, 200)],
  ...more,
});
const inForce = (of: Subject, at = now, code = "USD") =>
  db.global.transaction((tx) => termsOf(tx, { rail: "card", subject: of, asset: asset(code), at }));

describe("R02 a fee", () => {
  const terms: FeeTerms = { basisPoints: 290n, fixed: 30n, minimum: 0n, rounding: "half-even" };
  test("R02 is the share, rounded as the schedule says, plus the fixed part, within minimum and amount", () => {
    const only = { ...terms, fixed: 0n };
    expect(feeOf(usd(1000n), terms).units).toBe(59n);
    expect(feeOf(usd(3333n), terms).units).toBe(127n);
    expect(feeOf(usd(1n), terms).units).toBe(1n);
    expect(feeOf(usd(50n), { ...only, basisPoints: 100n }).units).toBe(0n);
    expect(feeOf(usd(150n), { ...only, basisPoints: 100n }).units).toBe(2n);
    expect(feeOf(usd(199n), { ...only, basisPoints: 100n, rounding: "down" }).units).toBe(1n);
    expect(feeOf(usd(101n), { ...only, basisPoints: 100n, rounding: "up" }).units).toBe(2n);
    expect(feeOf(usd(100n), { ...only, basisPoints: 0n, minimum: 40n }).units).toBe(40n);
    expect(feeOf(usd(30n), { ...only, basisPoints: 0n, minimum: 40n }).units).toBe(30n);
    expect(feeOf(usd(3n), { ...only, basisPoints: 3333n }).units).toBe(1n);
  });

  const anyTerms = fc.record({
    basisPoints: fc.bigInt(0n, 10_000n),
    fixed: fc.bigInt(0n, 500n),
    minimum: fc.bigInt(0n, 500n),
    rounding: fc.constantFrom("half-even", "down", "up"),
  });
  test("R02 never exceeds its amount, never undercuts its minimum, never falls as the amount rises, and is never a whole unit off", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), fc.bigInt(0n, 10n ** 6n), anyTerms, (units, more, any) => {
        const fee = feeOf(usd(units), any).units;
        expect(fee >= 0n && fee <= units).toBe(true);
        expect(fee >= any.minimum || fee === units).toBe(true);
        expect(feeOf(usd(units + more), any).units >= fee).toBe(true);
        // Against the exact fraction, in ten-thousandths of a unit.
        const off = feeOf(usd(units), { ...any, minimum: 0n }).units * 10_000n - any.fixed * 10_000n;
        const exact = units * any.basisPoints;
        const capped = exact + any.fixed * 10_000n >= units * 10_000n;
        const apart = off > exact ? off - exact : exact - off;
        expect(capped || apart < 10_000n).toBe(true);
        if (!capped && any.rounding === "half-even") expect(apart <= 5_000n).toBe(true);
        if (!capped && any.rounding === "down") expect(off <= exact).toBe(true);
        if (!capped && any.rounding === "up") expect(off >= exact).toBe(true);
      }),
      { numRuns: 10_000 },
    );
  });

  test("R02 ten thousand splits by basis points lose no unit", () => {
    fc.assert(
      fc.property(fc.bigInt(1n, 10n ** 15n), fc.bigInt(0n, 10_000n), (units, points) => {
        const parts = split(usd(units), [points, 10_000n - points]);
        expect(parts.reduce((sum, part) => sum + part.units, 0n)).toBe(units);
      }),
      { numRuns: 10_000 },
    );
  });
});

describe("a fee schedule", () => {
  test("of the merchant goes before that of all, one for its currency before one for any, the latest before an earlier", async () => {
    const of = subject();
    expect(await inForce(of)).toMatchObject({ basisPoints: 290n, fixed: 30n, collection: "withheld" });
    await setSchedule(db, schedule(of, { currency: null, tiers: [tier(0n, 200)] }), by);
    expect((await inForce(of)).basisPoints).toBe(200n);
    await setSchedule(db, schedule(of, { currency: "EUR", tiers: [tier(0n, 150)] }), by);
    expect((await inForce(of)).basisPoints).toBe(200n);
    expect((await inForce(of, now, "EUR")).basisPoints).toBe(150n);
    await setSchedule(db, schedule(of, { currency: null, tiers: [tier(0n, 190)] }), by);
    expect((await inForce(of)).basisPoints).toBe(190n);
    expect((await inForce(subject())).basisPoints).toBe(290n);
  });

  test("begins and ends at its instants, and a later one changes nothing before itself", async () => {
    const of = subject();
    const [from, until] = [after(now, hourMs), after(now, 2 * hourMs)];
    await setSchedule(
      db,
      schedule(of, { effectiveFrom: from, effectiveUntil: until, tiers: [tier(0n, 1)] }),
      by,
    );
    expect((await inForce(of, after(from, -1))).basisPoints).toBe(290n);
    expect((await inForce(of, from)).basisPoints).toBe(1n);
    expect((await inForce(of, after(until, -1))).basisPoints).toBe(1n);
    expect((await inForce(of, until)).basisPoints).toBe(290n);
  });

  test("of another organization's merchant is neither in force nor seen", async () => {
    const of = subject();
    await setSchedule(db, schedule(of), by);
    const thief = { ...of, tenant: newId("tenant") };
    expect((await inForce(thief)).basisPoints).toBe(290n);
    expect((await schedulesOf(db, of.tenant)).some(({ subject: whose }) => whose !== null)).toBe(true);
    expect((await schedulesOf(db, thief.tenant)).every(({ subject: whose }) => whose === null)).toBe(true);
  });

  test("tells its tier by the volume of the last closed month, and by nothing while that is summed", async () => {
    const of = subject();
    const tiers = [tier(0n, 300), tier(10_000n, 200), tier(1_000_000n, 100)];
    await setSchedule(db, schedule(of, { tiers }), by);
    expect(await inForce(of)).toMatchObject({ basisPoints: 300n, fromVolume: 0n });
    const close = async (month: string, volume: string) => {
      await database.asAdmin(
        "insert into ledger_months (month, state, closed_at, summed_to) values ($1, 'closing', now(), now())",
        [month],
      );
      await database.asAdmin("insert into fee_volumes values ($1, $2, 'card', 'USD', $3, $4)", [
        of.tenant,
        of.merchant,
        month,
        volume,
      ]);
    };
    const summed = (month: string) =>
      database.asAdmin("update ledger_months set state = 'summed' where month = $1", [month]);
    await close("2020-01", "10000");
    expect(await inForce(of)).toMatchObject({ fromVolume: 0n });
    await summed("2020-01");
    expect(await inForce(of)).toMatchObject({ basisPoints: 200n, fromVolume: 10_000n });
    await close("2020-02", "9999");
    expect(await inForce(of)).toMatchObject({ fromVolume: 10_000n });
    await summed("2020-02");
    expect(await inForce(of)).toMatchObject({ basisPoints: 300n, fromVolume: 0n });
    await close("2020-03", "5000000");
    await summed("2020-03");
    expect(await inForce(of)).toMatchObject({ basisPoints: 100n, fromVolume: 1_000_000n });
  });

  test.each<[string, Partial<NewSchedule>]>([
    ["begins in the past", { effectiveFrom: after(now, -hourMs) }],
    ["ends before it begins", { effectiveUntil: after(now, -1) }],
    ["has no tier for the first volume", { tiers: [tier(1n, 100)] }],
    ["has no tier", { tiers: [] }],
    ["names a volume twice", { tiers: [tier(0n, 100), tier(0n, 90)] }],
    ["turns its tiers round", { tiers: [tier(0n, 3), tier(20n, 2), tier(10n, 1)] }],
    ["has an amount in no currency", { currency: null, tiers: [tier(0n, 100, 30n)] }],
    ["has a volume in no currency", { currency: null, tiers: [tier(0n, 100), tier(5n, 90)] }],
  ])("that %s is refused, and nothing of it is kept", async (_, more) => {
    const of = subject();
    await expect(setSchedule(db, schedule(of, more), by)).rejects.toMatchObject({
      code: "fee_schedule_refused",
    });
    expect((await schedulesOf(db, of.tenant)).some(({ subject: whose }) => whose !== null)).toBe(false);
  });

  test("is never changed: not by the application, and not by the owner of its table", async () => {
    const of = subject();
    const { id } = await setSchedule(db, schedule(of), by);
    for (const text of [
      "update fee_schedules set collection = 'invoiced'",
      "update fee_tiers set basis_points = 0",
      "delete from fee_tiers",
      "update fee_volumes set captured = 0",
    ])
      await expect(
        db.of(of.tenant).transaction((tx) => tx.run({ text, name: text, values: [] })),
        text,
      ).rejects.toMatchObject({ code: "42501" });
    await expect(
      database.asAdmin("update fee_tiers set basis_points = 0 where schedule_id = $1", [id]),
    ).rejects.toMatchObject({ code: "42501" });
  });

  test("leaves an event that says who set what, in the organization that it is about", async () => {
    const of = subject();
    const { id } = await setSchedule(db, schedule(of, { collection: "invoiced" }), by);
    const [event] = await database.asAdmin<{ tenant_id: string; payload: object }>(
      "select tenant_id, actor, payload from outbox where subject = $1",
      [id],
    );
    expect(event).toMatchObject({
      tenant_id: of.tenant,
      actor: by.actor,
      payload: { merchant: of.merchant, collection: "invoiced", tiers: [{ basis_points: 200 }] },
    });
  });
});
