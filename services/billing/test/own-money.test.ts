import { dayMs, type Id, instantOf, newId } from "@remit/kernel";
import { platformTenant } from "@remit/platform/http";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { openStripe } from "@remit/rails/card";
import { eventually, testClock } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { boundsOf, monthOf } from "../src/ledger/index.ts";
import { followOwn } from "../src/payouts/own-payouts.ts";
import { watchClearing } from "../src/reconciliation/clearing.ts";
import { type ReconciliationDeps, reconcile } from "../src/reconciliation/reconciliation.ts";
import { movementsOf, ownPayoutsOf } from "../src/stripe/index.ts";
import { openStage, purchaseOf, type Stage } from "./stage.ts";

const clock = testClock();
let stage: Stage;
let db: Database;
let deps: ReconciliationDeps;
let stripe: ReturnType<typeof openStripe>;
beforeAll(async () => {
  // The middle of a month to come: what is posted here is in one, and no job is due later than that.
  clock.set(instantOf(boundsOf(monthOf(clock.now())).until + 14 * dayMs));
  stage = await openStage({ clock, stripeClock: clock, stripeTimeoutMs: 20_000 });
  db = stage.database.open({ record: recordToOutbox });
  stripe = openStripe({ ...stage.sandbox.stripe, timeoutMs: 5_000 });
  const log = createLog({ service: "billing", level: "silent" });
  deps = { db, clock, log, movements: (span) => movementsOf(stripe, span) };
});
afterAll(async () => {
  await db.close();
  await stage.close();
});

const balances = async (): Promise<Record<string, number>> =>
  Object.fromEntries(
    (
      await stage.database.asAdmin<{ code: string; balance: number }>(
        "select code, sum(balance)::int as balance from ledger_accounts where asset in ('USD', 'EUR') group by code",
      )
    ).map(({ code, balance }) => [code, balance]),
  );
const charges = (tenant: Id<"tenant">) =>
  stage.database.asAdmin<{ gross: number; tax: number; tier: string }>(
    "select gross::int, tax::int, tier from plan_charges where tenant_id = $1 order by posted_at, reference",
    [tenant],
  );
const entries = async (): Promise<number> =>
  (await stage.database.asAdmin<{ n: number }>("select count(*)::int as n from ledger_entries"))[0]?.n ?? 0;
const operator = { scope: "billing:write", tenant: platformTenant } as const;
const span = () => ({ from: instantOf(clock.now() - dayMs), until: instantOf(clock.now() + dayMs) });

async function paying(tenant: Id<"tenant">): Promise<string> {
  const { body } = await stage.call("POST", `/api/v1/plans/${tenant}/checkout`, {
    scope: "plans:write",
    body: {},
  });
  const { subscription } = await stage.sandbox.pay(String(body["url"]));
  await eventually(async () => expect(await charges(tenant)).toHaveLength(1));
  return subscription;
}

describe("R04 the platform's own money is in its books", () => {
  const [taxed, plain] = [newId("tenant"), newId("tenant")];

  test("R04 what a plan was paid with is posted once, with the tax that is in it", async () => {
    const profile = { name: "Acme", address: [], country: "NL", tax_basis_points: 2100 };
    await stage.call("PUT", `/api/v1/billing-profiles/${taxed}`, { ...operator, body: profile });
    const subscription = await paying(taxed);
    await paying(plain);
    await stage.sandbox.renew(subscription);
    await eventually(async () => expect(await charges(taxed)).toHaveLength(2));
    const [first, second] = await charges(taxed);
    expect(first).toMatchObject({ tier: "pro", tax: Math.round(((first?.gross ?? 0) * 2100) / 12_100) });
    expect(second).toEqual(first);
    expect(await charges(plain)).toMatchObject([{ tax: 0, gross: first?.gross }]);
    const { tenant_receivable, tax_payable, platform_fees } = await balances();
    expect(tenant_receivable).toBe(0);
    expect(tax_payable).toBe(-2 * (first?.tax ?? 0));
    expect(platform_fees).toBe(2 * (first?.tax ?? 0) - 3 * (first?.gross ?? 0));
    // Told again, it is what it was.
    const before = await entries();
    await stage.sandbox.subscription(subscription, "past_due");
    await stage.sandbox.subscription(subscription, "active");
    await eventually(async () =>
      expect(
        await stage.database.asAdmin("select from jobs where queue like 'plans.%' and run_at <= now()"),
      ).toEqual([]),
    );
    expect(await entries()).toBe(before);
    expect(await reconcile(deps, span())).toBe(0);
  });

  test("R04 payouts to our bank are posted as they go, arrive and come back, and open no case", async () => {
    const currency =
      ((await stage.sandbox.movements())[0] as { currency?: string } | undefined)?.currency ?? "usd";
    await stage.sandbox.payOut({ currency, amount: 1_000, status: "paid" });
    await stage.sandbox.payOut({ currency, amount: 400, status: "in_transit" });
    await stage.sandbox.payOut({ currency, amount: 70, status: "failed" });
    await eventually(async () => expect((await balances())["payout_clearing"]).toBe(400));
    await eventually(async () => expect((await balances())["bank"]).toBe(1_000));
    const before = await entries();
    const own = { db, clock, ownPayouts: (sinceS: number) => ownPayoutsOf(stripe, sinceS) };
    await Promise.all([followOwn(own), followOwn(own)]);
    expect(await entries()).toBe(before);
    expect(await reconcile(deps, span())).toBe(0);
    // One is on its way; what arrived or came back has cleared.
    const watched = await watchClearing(deps);
    expect(watched.find(({ code }) => code === "payout_clearing")).toMatchObject({ waiting: 1, late: false });
    expect(await stage.books()).toMatchObject({ balanced: true });
  });

  test("R04 our balance at Stripe is what its own list sums to, with mandates' purchases among it", async () => {
    const payer = await stage.payer();
    const of = purchaseOf(payer);
    const { body } = await stage.order("hold", of);
    await stage.step("capture", body["id"], of);
    await stage.step("refund", body["id"], of, { amount_minor: 300 });
    let theirs = 0n;
    for await (const movement of movementsOf(stripe, span()))
      if (!("currency" in movement)) theirs += movement.amount.units - movement.fee.units;
    expect((await balances())["stripe_balance"]).toBe(Number(theirs));
    expect(await reconcile(deps, span())).toBe(0);
  });

  test("an organization's month has an invoice of its plan, paid as it is written, numbered with the others", async () => {
    const month = monthOf(clock.now());
    clock.set(instantOf(boundsOf(month).until + dayMs));
    const close = () => stage.call("POST", `/api/v1/months/${month}/close`, { ...operator, body: {} });
    expect((await close()).status).toBe(202);
    const invoicesOf = async (tenant: Id<"tenant">) =>
      // The contract of the route says what it holds.
      (await stage.call("GET", "/api/v1/invoices", { scope: "billing:read", tenant })).body[
        "data"
      ] as readonly Record<string, unknown>[];
    await eventually(async () => expect(await invoicesOf(plain)).toHaveLength(1));
    const [one] = await charges(taxed);
    const [gross, tax] = [2 * (one?.gross ?? 0), 2 * (one?.tax ?? 0)];
    expect(await invoicesOf(taxed)).toMatchObject([
      {
        merchant: null,
        kind: "invoice",
        status: "paid",
        month,
        to: { name: "Acme" },
        lines: [{ kind: "plan", fee_schedule: "pro", count: 2, amount_minor: gross, fee_minor: gross - tax }],
        net_minor: gross - tax,
        tax: { basis_points: 2100, amount_minor: tax },
        total_minor: gross,
        withheld_minor: gross,
        due_minor: 0,
      },
    ]);
    const numbers = await stage.database.asAdmin("select number from invoices order by number");
    expect(numbers).toEqual([{ number: 1 }, { number: 2 }, { number: 3 }]);
    // Closed again, nothing is written twice, and no tax is posted twice.
    const before = await entries();
    await close();
    await eventually(async () =>
      expect(await stage.database.asAdmin("select from jobs where queue = 'invoices.month'")).toEqual([]),
    );
    expect(await invoicesOf(taxed)).toHaveLength(1);
    expect(await entries()).toBe(before);
    const pdf = await stage.call(
      "GET",
      `/api/v1/invoices/${String((await invoicesOf(taxed))[0]?.["id"])}/pdf`,
      { scope: "billing:read", tenant: taxed },
    );
    expect(pdf.status).toBe(200);
  });

  test("R04 what Stripe takes from our bank for a balance below zero is posted the other way round", async () => {
    const currency = "GBP";
    const own = async () =>
      Object.fromEntries(
        (
          await stage.database.asAdmin<{ code: string; balance: number }>(
            "select code, sum(balance)::int as balance from ledger_accounts where asset = $1 group by code",
            [currency],
          )
        ).map(({ code, balance }) => [code, balance]),
      );
    const payOut = (of: object) => stage.sandbox.payOut({ currency: "gbp", ...of });
    const of = purchaseOf(await stage.payer());
    const { body } = await stage.order("hold", of, { currency });
    await stage.step("capture", body["id"], of, { currency });
    await eventually(async () => expect((await own())["stripe_balance"]).toBeGreaterThan(0));
    await payOut({});
    await eventually(async () => expect((await own())["bank"]).toBeGreaterThan(0));
    const paidOut = (await own())["bank"] ?? 0;
    await stage.step("refund", body["id"], of, { currency });
    await eventually(async () => expect((await own())["stripe_balance"]).toBeLessThan(0));
    const below = (await own())["stripe_balance"] ?? 0;
    await payOut({ amount: below + 70 });
    await payOut({ amount: -70, status: "failed" });
    const stands = { stripe_balance: -70, payout_clearing: 0, bank: paidOut + below + 70 };
    await eventually(async () => expect(await own()).toMatchObject(stands));
    expect(await reconcile(deps, span())).toBe(0);
    expect(await stage.books()).toMatchObject({ balanced: true });
  });
});
