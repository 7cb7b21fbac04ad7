import { migrations } from "@remit/authorization-server";
import { assetOf, invariant, newId } from "@remit/kernel";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { assertBudget, type Budget, minorOf, refusalOfHold, settle } from "./budget.ts";
import { capOf, mayBecome, standingOfMandate, velocityOf, whyAskPrincipal } from "./mandates.ts";

const asset = assetOf("EUR");
invariant(asset !== undefined, "EUR is known");
const eur = asset;
const budget = (change: Partial<Budget> = {}): Budget => ({
  cap: 100n,
  held: 0n,
  spent: 0n,
  uses: 0,
  usesMax: undefined,
  ...change,
});

const details = {
  type: "oid4ac_mandate",
  oid4ac_version: "1.0",
  currency: "EUR",
  amount_minor: 500,
  uses: "multiple",
} as const;

describe("a budget", () => {
  test("I2 more held and spent than the cap, or less than nothing, is our fault and stops everything", () => {
    expect(() => assertBudget(budget({ held: 60n, spent: 41n }))).toThrow(/never exceeds/);
    expect(() => assertBudget(budget({ held: -1n }))).toThrow(/negative/);
    expect(() => assertBudget(budget({ uses: 2, usesMax: 1 }))).toThrow(/as often/);
    expect(assertBudget(budget({ held: 60n, spent: 40n }))).toBeDefined();
  });

  test("a capture spends its part and frees the rest: together the hold", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 20n }),
        fc.bigInt({ min: 1n, max: 10n ** 20n }),
        (a, b) => {
          const [captured, amount] = a < b ? [a, b] : [b, a];
          const hold = {
            charge: newId("charge"),
            mandate: newId("mandate"),
            amount,
            captured: 0n,
            refunded: 0n,
            state: "held",
            windows: [],
          } as const;
          const { spent, freed } = settle(hold, captured);
          expect(spent + freed).toBe(amount);
          expect(() => settle(hold, amount + 1n)).toThrow(/at most/);
          expect(() => settle({ ...hold, state: "released" }, captured)).toThrow(/held/);
        },
      ),
    );
  });

  test("what remains is never overstated", () => {
    expect(minorOf(eur, 19_999n)).toBe(1);
    expect(refusalOfHold(budget({ cap: 50_000n, held: 30_001n }), eur).extra).toEqual({
      limit: 5,
      remaining: 1,
      currency: "EUR",
    });
    expect(refusalOfHold(budget({ uses: 1, usesMax: 1 }), eur).code).toBe("mandate_uses_exhausted");
  });

  test("V02 caps count in 10^-6 units whatever the currency's places; the greatest fits", () => {
    expect(capOf(details)).toBe(5_000_000n);
    expect(capOf({ ...details, currency: "JPY" })).toBe(500_000_000n);
    expect(capOf({ ...details, currency: "BHD" })).toBe(500_000n);
    expect(capOf({ ...details, currency: "JPY", amount_minor: Number.MAX_SAFE_INTEGER })).toBe(
      9_007_199_254_740_991_000_000n,
    );
  });
});

describe("a mandate", () => {
  test("a revocation is final; asking for the state there is changes nothing", () => {
    expect(mayBecome("revoked", "active")).toBe(false);
    expect(mayBecome("revoked", "suspended")).toBe(false);
    expect(mayBecome("active", "active")).toBe(false);
    expect(mayBecome("suspended", "active")).toBe(true);
    expect(mayBecome("suspended", "revoked")).toBe(true);
  });

  test("each trigger asks the principal on its own", () => {
    const above = { ...details, step_up: [{ above_minor: 100 }] };
    expect(whyAskPrincipal(above, { amount: 1_000_000n, firstAtMerchant: true })).toBeUndefined();
    expect(whyAskPrincipal(above, { amount: 1_000_001n, firstAtMerchant: false })).toBe("above_limit");
    const first = { ...details, step_up: [{ first_purchase_at_merchant: true as const }] };
    expect(whyAskPrincipal(first, { amount: 1n, firstAtMerchant: true })).toBe("first_purchase_at_merchant");
    expect(whyAskPrincipal(first, { amount: 1n, firstAtMerchant: false })).toBeUndefined();
    expect(whyAskPrincipal(details, { amount: 10n ** 20n, firstAtMerchant: true })).toBeUndefined();
  });

  test("what a principal sees: revoked before expired before exhausted", () => {
    // The rest of a mandate has no say in its standing.
    const mandate = { state: "active", expiresAt: 1_000 } as Parameters<typeof standingOfMandate>[0];
    const at = (now: number, more: Partial<Budget> = {}, state: typeof mandate.state = "active") =>
      standingOfMandate({ ...mandate, state }, budget(more), now as typeof mandate.expiresAt);
    expect(at(999)).toBe("active");
    expect(at(1_000)).toBe("expired");
    expect(at(1_000, {}, "revoked")).toBe("revoked");
    expect(at(0, { spent: 100n })).toBe("exhausted");
    expect(at(0, { uses: 1, usesMax: 1, held: 1n })).toBe("active");
    expect(at(0, { uses: 1, usesMax: 1, spent: 1n })).toBe("exhausted");
    expect(at(0, {}, "suspended")).toBe("suspended");
  });

  test("velocity counts in UTC unless a zone is named", () => {
    const velocity = [
      { period: "day", count: 2 } as const,
      { period: "month", amount_minor: 7, zone: "Asia/Tokyo" } as const,
    ];
    expect(velocityOf({ ...details, velocity })).toEqual([
      { rule: 0, period: "day", zone: "UTC", amount: undefined, count: 2 },
      { rule: 1, period: "month", zone: "Asia/Tokyo", amount: 70_000n, count: undefined },
    ]);
  });
});

describe("O11 periods in the mandate's own zone", () => {
  let database: TestDatabase;
  beforeAll(async () => {
    database = await testDatabase({ service: "authorization_server", sources: migrations });
  });
  afterAll(() => database.drop());

  const opening = async (period: string, zone: string, at: string): Promise<string> => {
    const [row] = await database.asAdmin<{ opens: Date }>(
      "select mandate_window($1, $2, $3::timestamptz) as opens",
      [period, zone, at],
    );
    return row?.opens.toISOString() ?? "none";
  };

  test("a day begins at local midnight, 23 or 25 hours apart where clocks change", async () => {
    const zone = "Europe/Amsterdam";
    expect(await opening("day", zone, "2026-03-29T21:59:59.999Z")).toBe("2026-03-28T23:00:00.000Z");
    expect(await opening("day", zone, "2026-03-29T22:00:00Z")).toBe("2026-03-29T22:00:00.000Z");
    expect(await opening("day", zone, "2026-10-25T22:59:59Z")).toBe("2026-10-24T22:00:00.000Z");
    expect(await opening("day", zone, "2026-10-25T23:00:00Z")).toBe("2026-10-25T23:00:00.000Z");
  });

  test("the hour that occurs twice is two hours", async () => {
    const zone = "Europe/Amsterdam";
    const [first, second] = ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"];
    expect(await opening("hour", zone, first)).not.toBe(await opening("hour", zone, second));
  });

  test("weeks begin on Monday, months on the first, also in zones that are not whole hours away", async () => {
    expect(await opening("week", "UTC", "2026-11-22T23:59:59Z")).toBe("2026-11-16T00:00:00.000Z");
    expect(await opening("month", "Asia/Kathmandu", "2026-11-30T18:14:59Z")).toBe("2026-10-31T18:15:00.000Z");
    expect(await opening("month", "Asia/Kathmandu", "2026-11-30T18:15:00Z")).toBe("2026-11-30T18:15:00.000Z");
  });

  test("every instant lies in its period, and the period's first instant opens itself", async () => {
    const zones = ["UTC", "Europe/Amsterdam", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"];
    const rows = await database.asAdmin<{ wrong: string }>(
      `select p || ' ' || z || ' ' || at as wrong
       from unnest($1::text[]) z, unnest(array['hour', 'day', 'week', 'month']) p,
         generate_series('2026-01-01'::timestamptz, '2027-01-01', interval '11 hours 17 minutes') at,
         lateral (select mandate_window(p, z, at) as opens) w
       where w.opens > at or mandate_window(p, z, w.opens) <> w.opens
         or at - w.opens > case p when 'hour' then interval '1 hour' when 'day' then interval '25 hours'
           when 'week' then interval '7 days 1 hour' else interval '31 days 1 hour' end`,
      [zones],
    );
    expect(rows).toEqual([]);
  });
});
