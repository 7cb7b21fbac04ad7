import { type Asset, after, assetOf, dayMs, type Id, instantOf, money, newId } from "@remit/kernel";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually } from "@remit/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bookingEntry, post } from "../src/ledger/index.ts";
import { type ReconciliationDeps, reconcile } from "../src/reconciliation/reconciliation.ts";
import { movementsOf } from "../src/stripe/index.ts";
import { openStage, type Purchase, purchaseOf, type Stage } from "./stage.ts";

let stage: Stage;
let payer: Id<"tenant">;
let db: Database;
let deps: ReconciliationDeps;
beforeAll(async () => {
  stage = await openStage({ stripeTimeoutMs: 20_000 });
  payer = await stage.payer();
  db = stage.database.open({ record: recordToOutbox });
  const stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 20_000 });
  const log = createLog({ service: "billing", level: "silent" });
  deps = { db, clock: stage.clock, log, movements: (span) => movementsOf(stripe, span) };
});
afterAll(async () => {
  await db.close();
  await stage.close();
});
beforeEach(() => stage.sandbox.settleIn("usd", { eur: 1.1 }));

const span = () => {
  const now = stage.clock.now();
  return { from: instantOf(now - dayMs), until: after(now, dayMs) };
};

type Sold = { readonly of: Purchase; readonly id: string; readonly reference: string };

async function sold(of: Purchase, units: number, currency = "EUR"): Promise<Sold> {
  const { body: held } = await stage.order("hold", of, { amount_minor: units, currency });
  const priced = { amount_minor: units, currency };
  const { body } = await stage.step("capture", held["id"], of, priced);
  expect(body["status"]).toBe("captured");
  return { of, id: String(held["id"]), reference: String(body["reference"]) };
}
const refund = ({ of, id }: Sold, units: number, currency = "EUR") =>
  stage.step("refund", id, of, { amount_minor: units, currency });

/** What stands in the accounts of one tenant or of one charge, by code and asset; nothing of what is nothing. */
const sums = async (where: string, value: string): Promise<Record<string, number>> =>
  Object.fromEntries(
    (
      await stage.database.asAdmin<{ name: string; units: number }>(
        `select a.code || ' ' || a.asset as name, sum(p.units)::float8 as units
         from ledger_postings p join ledger_accounts a on a.id = p.account_id join ledger_entries e on e.id = p.entry_id
         where ${where} = $1 group by 1 having sum(p.units) <> 0`,
        [value],
      )
    ).map(({ name, units }) => [name, units]),
  );
const ofCharge = ({ of }: Sold) => sums("e.charge_id", of.charge);
const ofPlatform = () => sums("a.tenant_id", "platform");

/** What the sandbox has on the platform's own balance, by currency. */
async function theirBalance(): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { net, currency, _account } of await stage.sandbox.movements()) {
    if (_account !== undefined && _account !== null) continue;
    const name = `stripe_balance ${currency.toUpperCase()}`;
    found[name] = (found[name] ?? 0) + net;
  }
  return Object.fromEntries(Object.entries(found).filter(([, units]) => units !== 0));
}

/** Everything that Stripe has done is in the books, each asset by itself, and nothing waits. */
async function agrees(): Promise<void> {
  await eventually(async () => {
    const mine = await ofPlatform();
    expect(Object.keys(mine).filter((name) => /_clearing|dispute_reserve/.test(name))).toEqual([]);
    const balance = Object.entries(mine).filter(([name]) => name.startsWith("stripe_balance"));
    expect(Object.fromEntries(balance)).toEqual(await theirBalance());
  });
  const books = await stage.books();
  expect(books).toMatchObject({ balanced: true });
  expect(JSON.stringify(books["assets"])).not.toMatch(/"imbalance[^"]*":"?-?[1-9]/);
  expect(await reconcile(deps, span())).toBe(0);
}

describe("R04 what Stripe settles in another currency than it was charged in", () => {
  test("R04 is owed to the merchant as it was charged, and stands on our balance as Stripe has booked it", async () => {
    const one = await sold(purchaseOf(payer), 6000);
    // 60.00 EUR at 1.1 are 66.00 USD, of which Stripe keeps 2.9 % + 0.30; our fee is 2.9 % + 0.30 of what was charged.
    expect(await ofCharge(one)).toEqual({
      "fx EUR": 6000,
      "fx USD": -6600,
      "merchant_payable EUR": -5796,
      "platform_fees EUR": -204,
      "processor_fees USD": 221,
      "stripe_balance USD": 6379,
    });
    await agrees();
  });

  test("R04 is refunded in full whatever the rate has become, and what that cost stays to be seen", async () => {
    const one = await sold(purchaseOf(payer), 6000);
    await stage.sandbox.settleIn("usd", { eur: 1.2 });
    await refund(one, 6000);
    // The fee stays with us; 72.00 USD have left for the 66.00 that came.
    expect(await ofCharge(one)).toEqual({
      "fx USD": 600,
      "merchant_payable EUR": 204,
      "platform_fees EUR": -204,
      "processor_fees USD": 221,
      "stripe_balance USD": -821,
    });
    await stage.sandbox.settleIn("usd", { eur: 1.3 });
    const [made] = await stage.sandbox.refunds(one.reference);
    await stage.sandbox.failRefund(made?.id ?? "");
    await eventually(async () => expect((await ofCharge(one))["fx USD"]).toBe(600 - 7800));
    expect(await ofCharge(one)).toMatchObject({ "merchant_payable EUR": -5796, "fx EUR": 6000 });
    await agrees();
  });

  test("R04 is set aside and given back in the charge's money when disputed, and the network's fee is borne in Stripe's", async () => {
    const one = await sold(purchaseOf(payer), 6000);
    await stage.sandbox.settleIn("usd", { eur: 1.05 });
    const dispute = await stage.sandbox.dispute(one.reference);
    await eventually(async () =>
      expect(await ofCharge(one)).toMatchObject({
        "fx USD": -6600 + 6300,
        "merchant_payable EUR": 204,
        "merchant_payable USD": 1500,
        "stripe_balance USD": 6379 - 6300 - 1500,
      }),
    );
    await stage.sandbox.settleIn("usd", { eur: 1.15 });
    await stage.sandbox.decide(dispute, "won");
    await eventually(async () =>
      expect(await ofCharge(one)).toMatchObject({
        "fx EUR": 6000,
        "fx USD": -6600 + 6300 - 6900,
        "merchant_payable EUR": -5796,
        "merchant_payable USD": 1500,
      }),
    );
    await agrees();
  });

  test("R04 and that a former release has booked without its exchange stands as it is: another look says no other thing about it", async () => {
    const [eur, usd] = [assetOf("EUR"), assetOf("USD")];
    if (eur === undefined || usd === undefined) throw new TypeError("no assets");
    const paid = { charge: newId("charge"), at: stage.clock.now() };
    const posted: number[] = [];
    const booked = (id: string, units: bigint, nominal: Asset) => {
      const amounts = { amount: money(usd, units), fee: money(usd, 0n), nominal: money(nominal, 6000n) };
      return bookingEntry(paid, { id, ...amounts, direction: "into", clears: "card_clearing" });
    };
    const posting = db.global.transaction(async (tx) => {
      const [former, present] = ["txn_former", "txn_present"];
      posted.push((await post(tx, [booked(former, 6600n, usd), booked(present, 6600n, eur)])).length);
      posted.push((await post(tx, [booked(former, 6600n, eur), booked(present, 6600n, usd)])).length);
      // One of the same shape that says another thing is as wrong as ever; and nothing of this stays.
      await post(tx, [booked(present, 6700n, eur)]);
    });
    await expect(posting).rejects.toMatchObject({ code: "LG002" });
    expect(posted).toEqual([2, 0]);
  });

  test("R04 goes on to a merchant's own account and back from it, and nothing waits in the clearing accounts", async () => {
    const [tenant, merchant] = [newId("tenant"), newId("merchant")];
    const asked = { scope: "offers:write", tenant, body: { merchant } } as const;
    const { body } = await stage.call("POST", "/api/v1/payout-accounts", asked);
    await stage.sandbox.onboard(String(body["url"]));
    await eventually(async () => {
      const reader = { scope: "billing:read", tenant } as const;
      const list = await stage.call("GET", "/api/v1/payout-accounts", reader);
      expect(list.body).toMatchObject({ data: [{ status: "active" }] });
    });
    const one = await sold({ charge: newId("charge"), payer, payee: tenant, merchant }, 6000);
    // All 66.00 USD went on, and Stripe has brought our 2.04 EUR back as 2.24 USD.
    expect(await ofCharge(one)).toEqual({
      "fx EUR": 204,
      "fx USD": -224,
      "platform_fees EUR": -204,
      "processor_fees USD": 221,
      "stripe_balance USD": 224 - 221,
    });
    await stage.sandbox.settleIn("usd", { eur: 1.2 });
    await refund(one, 3000);
    // Half of the transfer, as it was: 33.00 USD; the cardholder has got 36.00.
    expect(await ofCharge(one)).toMatchObject({ "fx EUR": 204, "fx USD": -224 + 3600 - 3300 });
    await agrees();
  });

  test("R04 opens a case where an amount or a fee is another one, as ever", async () => {
    await sold(purchaseOf(payer), 777);
    const wrong = (change: "amount" | "fee"): ReconciliationDeps => ({
      ...deps,
      movements: async function* (asked) {
        let last: string | undefined;
        for await (const { id } of deps.movements(asked)) last ??= id;
        for await (const one of deps.movements(asked))
          yield "currency" in one || one.id !== last
            ? one
            : { ...one, [change]: money(one[change].asset, one[change].units + 1n) };
      },
    });
    expect(await reconcile(wrong("amount"), span())).toBe(1);
    expect(await reconcile(wrong("fee"), span())).toBe(1);
  });
});

type Deed =
  | { readonly kind: "rate"; readonly eur: number }
  | { readonly kind: "sell"; readonly units: number; readonly currency: "EUR" | "USD" }
  | { readonly kind: "refund"; readonly of: number; readonly percent: number }
  | { readonly kind: "fail"; readonly of: number }
  | { readonly kind: "dispute"; readonly of: number; readonly end: "lost" | "won" | undefined };

const deeds: fc.Arbitrary<Deed> = fc.oneof(
  fc.record({ kind: fc.constant("rate" as const), eur: fc.double({ min: 0.5, max: 2, noNaN: true }) }),
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("sell" as const),
      units: fc.integer({ min: 100, max: 99_999 }),
      currency: fc.constantFrom("EUR" as const, "USD" as const),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("refund" as const),
      of: fc.nat(),
      percent: fc.integer({ min: 1, max: 100 }),
    }),
  },
  fc.record({ kind: fc.constant("fail" as const), of: fc.nat() }),
  fc.record({
    kind: fc.constant("dispute" as const),
    of: fc.nat(),
    end: fc.constantFrom("lost" as const, "won" as const, undefined),
  }),
);

type Standing = Sold & { left: number; currency: string; refunds: string[]; disputed: boolean };

async function live(deed: Deed, all: Standing[]): Promise<void> {
  if (deed.kind === "rate") return stage.sandbox.settleIn("usd", { eur: deed.eur });
  if (deed.kind === "sell") {
    const { units: left, currency } = deed;
    const made = await sold(purchaseOf(payer), left, currency);
    all.push({ ...made, left, currency, refunds: [], disputed: false });
    return;
  }
  const one = all[deed.of % Math.max(all.length, 1)];
  if (one === undefined || one.disputed || one.left === 0) return;
  if (deed.kind === "dispute") {
    one.disputed = true;
    const dispute = await stage.sandbox.dispute(one.reference);
    if (deed.end !== undefined) await stage.sandbox.decide(dispute, deed.end);
  }
  if (deed.kind === "refund") {
    const units = Math.max(1, Math.floor((one.left * deed.percent) / 100));
    const { body } = await refund(one, units, one.currency);
    expect(body["refunded_minor"]).toBeGreaterThan(0);
    one.left -= units;
    const made = await stage.sandbox.refunds(one.reference);
    one.refunds = made.map(({ id }) => id);
  }
  // What comes back may be refunded again, but not while it is not known here.
  const last = deed.kind === "fail" ? one.refunds.pop() : undefined;
  if (last !== undefined) await stage.sandbox.failRefund(last);
}

test("R04 whatever is sold, refunded, sent back and disputed in two currencies at rates that change, each asset sums to nothing and agrees with Stripe", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(deeds, { minLength: 8, maxLength: 14 }), async (all) => {
      const standing: Standing[] = [];
      for (const deed of all) await live(deed, standing);
      await agrees();
    }),
    { numRuns: 6 },
  );
});
