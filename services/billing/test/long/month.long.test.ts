import { randomBytes } from "node:crypto";
import { dayMs, instantOf, minuteMs } from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { createLog } from "@remit/platform/telemetry";
import { type TestClock, testClock } from "@remit/testkit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type InvoiceDeps, invoiceMonth } from "../../src/invoices/invoices.ts";
import { check } from "../../src/ledger/check.ts";
import { openStage, type Stage, webhookSecret } from "../stage.ts";
import { type Month, monthStart, openMonth, seeded } from "./month.ts";
import { openRelay, type Relay } from "./relay.ts";
import { type Truths, truthsOf } from "./truth.ts";

/** How long a month is lived: REMIT_TEST_MONTH=10000 takes some ten minutes on a quiet machine. */
const purchases = Number(process.env["REMIT_TEST_MONTH"] ?? 200);
// What is found late is of the month in which it is found: two days are left to find all of it.
const days = purchases > 1_000 ? 28 : 2;
const atOnce = 16;
const seed = 20_260_901;

let clock: TestClock;
let stage: Stage;
let relay: Relay;
let month: Month;
beforeAll(async () => {
  clock = testClock(monthStart);
  stage = await openStage({ clock, stripeTimeoutMs: 20_000, webhooks: false, stripeClock: clock });
  const chance = seeded(seed);
  relay = await openRelay(() => `${stage.address()}/api/v1/webhooks/stripe`, {
    secret: webhookSecret,
    chance: seeded(seed + 1),
  });
  await stage.sandbox.addWebhook({ url: relay.url, secret: webhookSecret });
  const payers = [await stage.payer(), await stage.payer(), await stage.payer()];
  month = openMonth(stage, { payers, broke: await stage.payer("pm_card_chargeCustomerFail"), chance });
});
afterAll(async () => {
  await month.db.close();
  await stage.close();
  await relay.close();
});

const rows = <T extends object>(text: string): Promise<T[]> => stage.database.asAdmin<T>(text);

/** All of the month: purchases day by day, a dozen at once, and then time enough for whatever was lost on its way. */
async function live(): Promise<void> {
  for (let day = 0; day < days; day++) {
    let left = Math.floor(purchases / days) + (day < purchases % days ? 1 : 0);
    const buyers = Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await month.buy();
    });
    await Promise.all(buyers);
    // Whatever was lost is found again on the same day, as a job would.
    clock.advance(2 * minuteMs);
    await month.settle();
    clock.advance(dayMs - 2 * minuteMs);
  }
  await stage.sandbox.heal();
  await relay.flush();
  for (let quiet = 0; quiet < 3; ) {
    clock.advance(60_000);
    const open = await month.settle();
    const [waiting] = await rows<{ count: string }>(
      "select count(*)::text as count from jobs where queue in ('payments.book', 'disputes.look', 'payments.settle', 'payments.hint')",
    );
    quiet = open === 0 && waiting?.count === "0" ? quiet + 1 : 0;
  }
}

type InvoiceRow = {
  readonly id: string;
  readonly merchant_id: string;
  readonly asset: string;
  readonly net: string;
  readonly lines: readonly { kind: string; count: string; gross: string; fee: string }[];
  readonly number: number;
};
const invoices = (): Promise<InvoiceRow[]> => rows<InvoiceRow>("select * from invoices order by number");

function expectInvoices(found: readonly InvoiceRow[], { ofShops }: Truths): void {
  const sum = (row: InvoiceRow, kind: string, what: "gross" | "fee" | "count"): bigint =>
    row.lines.filter((line) => line.kind === kind).reduce((all, line) => all + BigInt(line[what]), 0n);
  const asInvoiced = found.map((row) => [
    `${row.merchant_id} ${row.asset}`,
    {
      captured: sum(row, "capture", "gross"),
      captures: sum(row, "capture", "count"),
      refunded: -sum(row, "refund", "gross"),
      fees: BigInt(row.net),
      disputed: -sum(row, "dispute", "gross"),
    },
  ]);
  expect(Object.fromEntries(asInvoiced)).toEqual(Object.fromEntries(ofShops));
}

test(`a month of ${purchases} purchases, refunds, disputes and failures, told in any order and often, closes to invoices that are Stripe's to the minor unit`, async () => {
  await live();
  const truths = await truthsOf(stage, month.sold);
  const { seen } = relay;
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(purchases / 50);
  const [made] = await rows<Record<string, string>>(
    `select (select count(*) from payments where state = 'declined')::text as declined,
       (select count(*) from payments where state = 'released')::text as released,
       (select count(*) from refunds where state = 'refunded')::text as refunded,
       (select count(*) from disputes)::text as disputes`,
  );
  for (const count of Object.values(made ?? {})) expect(Number(count)).toBeGreaterThan(purchases / 100);

  clock.set(instantOf(Date.UTC(2026, 9, 2)));
  const keyring = createKeyring({ kek: kekOf(randomBytes(32)), clock });
  const deps: InvoiceDeps = {
    db: month.db,
    clock,
    log: createLog({ service: "billing", level: "silent" }),
    keyring,
  };
  await invoiceMonth(deps, "2026-09");
  const first = await invoices();
  expectInvoices(first, truths);

  // Our balance at Stripe, and what Stripe kept, are as Stripe has booked them; nothing waits to be cleared.
  const balances = await rows<{ code: string; asset: string; sum: string }>(
    "select code, asset, sum(balance)::text as sum from ledger_accounts where tenant_id = 'platform' group by code, asset",
  );
  const balanceOf = (code: string): Record<string, bigint> =>
    Object.fromEntries(
      balances.filter((row) => row.code === code).map(({ asset, sum }) => [asset, BigInt(sum)]),
    );
  expect(balanceOf("stripe_balance")).toEqual(Object.fromEntries(truths.balance));
  expect(balanceOf("processor_fees")).toEqual(Object.fromEntries(truths.kept));
  for (const code of ["card_clearing", "dispute_reserve"])
    expect(new Set(Object.values(balanceOf(code)))).toEqual(new Set([0n]));

  const before = await rows("select id from ledger_entries order by id");
  clock.advance(dayMs);
  await Promise.all([invoiceMonth(deps, "2026-09"), invoiceMonth(deps, "2026-09")]);
  expect(await invoices()).toEqual(first);
  expect(await rows("select id from ledger_entries order by id")).toEqual(before);
  expect(first.map(({ number }) => number)).toEqual(first.map((_, index) => index + 1));

  expect((await check(month.db)).balanced).toBe(true);
  await rows(
    "update ledger_accounts set balance = balance + 1 where id = (select id from ledger_accounts where code = 'merchant_payable' order by id limit 1)",
  );
  expect((await check(month.db)).balanced).toBe(false);
});
