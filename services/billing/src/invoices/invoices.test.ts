import { after, assetOf, dayMs, type Id, instantOf, money, newId, systemClock } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import { recordToOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { jumpTime, type TestDatabase, testDatabase } from "@remit/testkit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { check } from "../ledger/check.ts";
import { reversalOf } from "../ledger/entries.ts";
import {
  captureEntry,
  dueMonths,
  type Entry,
  monthNamed,
  monthOf,
  monthsNow,
  post,
  refundEntry,
} from "../ledger/index.ts";
import { accountsOf } from "../ledger/ledger.ts";
import { migrations } from "../tables.ts";
import { dueOf, leftOf, nameOf, setOff } from "./invoice.ts";
import {
  type Document,
  documentsOf,
  dun,
  type InvoiceDeps,
  invoiceMonth,
  payInvoice,
  setProfile,
} from "./invoices.ts";
import { pdfOf } from "./pdf.ts";

const newest = { limit: 500, before: undefined };
let database: TestDatabase;
let db: Database;
let deps: InvoiceDeps;
let now = instantOf(Date.UTC(2025, 5, 1));
const plain: Pick<Keyring, "seal" | "open"> = {
  seal: async (_tx, _scope, { plaintext }) => plaintext,
  open: async (_tx, _scope, { sealed }) => sealed,
};
beforeAll(async () => {
  database = await testDatabase({ service: "billing", sources: migrations });
  db = database.open({ record: recordToOutbox, poolMax: 16 });
  const clock = { now: () => now, monotonicNs: () => 0n };
  deps = { db, clock, log: createLog({ service: "billing", level: "silent" }), keyring: plain };
});
afterAll(() => database.drop());

const usd = (units: bigint) => {
  const asset = assetOf("USD");
  if (asset === undefined) throw new TypeError("USD");
  return money(asset, units);
};
type Merchant = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant"> };
const merchant = (): Merchant => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const general = `fsc_${"1".padStart(26, "0")}`;
const write = (...entries: Entry[]) => db.global.transaction((tx) => post(tx, entries));
const captured = (of: Merchant, at: number, more: { fee?: bigint; invoiced?: true } = {}) =>
  captureEntry({
    charge: newId("charge"),
    owner: of,
    at: instantOf(at),
    payment: newId("payment"),
    rail: "card",
    captured: usd(1000n),
    fee: usd(more.fee ?? 59n),
    terms: {
      schedule: general,
      fromVolume: 0n,
      collection: more.invoiced === true ? "invoiced" : "withheld",
    },
  });
const only = (documents: readonly Document[]): Document => {
  const [document] = documents;
  if (document === undefined || documents.length > 1) throw new TypeError(`${documents.length} documents`);
  return document;
};
const actor = { type: "client", id: "cli_operator" } as const;
const acme = (more: { tax?: number; reverse?: boolean } = {}) => ({
  actor,
  profile: {
    party: {
      name: "Ωμέγα Łódź Žižkov GmbH",
      address: ["Кирова 5", "10115 Berlin"],
      country: "DE",
      taxId: "DE123456789",
    },
    taxBasisPoints: more.tax ?? 0,
    reverseCharge: more.reverse ?? false,
    dueDays: 14,
  },
});

describe("a month's invoices", () => {
  test("what was withheld is shown as paid, what is invoiced is to pay, and tax is on top of both", async () => {
    const [withheld, invoiced] = [merchant(), merchant()];
    await setProfile(deps, invoiced.tenant, acme({ tax: 1900 }));
    const may = Date.UTC(2025, 4, 5);
    for (let n = 0; n < 3; n++)
      await write(captured(withheld, may + n), captured(invoiced, may + n, { invoiced: true }));
    const refund = { charge: newId("charge"), refund: newId("refund"), refunded: usd(1000n) };
    await write(refundEntry({ ...refund, owner: withheld, at: instantOf(may + 9) }));
    await invoiceMonth(deps, "2025-05");
    const first = only(await documentsOf(deps, withheld.tenant, newest)).invoice;
    expect(first).toMatchObject({ net: 177n, tax: 0n, withheld: 177n, state: "paid", nextStepAt: null });
    expect(first.lines).toMatchObject([
      { kind: "capture", count: 3n, gross: 3000n, fee: 177n },
      { kind: "refund", count: 1n, gross: -1000n, fee: 0n },
    ]);
    const second = only(await documentsOf(deps, invoiced.tenant, newest)).invoice;
    // 19 % of 1.77 is 0.3363.
    expect(second).toMatchObject({ net: 177n, tax: 34n, withheld: 0n, state: "open" });
    expect(second.dueAt).toBe(after(now, 14 * dayMs));
    const owed = await accountsOf(db, invoiced.tenant);
    expect(owed.find(({ code }) => code === "merchant_receivable")?.balance).toBe(211n);
    await payInvoice(deps, second.id, "bank 1");
    await payInvoice(deps, second.id, "bank 1");
    await expect(payInvoice(deps, second.id, "bank 2")).rejects.toMatchObject({ code: "invoice_settled" });
    await expect(payInvoice(deps, first.id, "bank 3")).rejects.toMatchObject({ code: "invoice_settled" });
    const settled = await accountsOf(db, invoiced.tenant);
    expect(settled.find(({ code }) => code === "merchant_receivable")?.balance).toBe(0n);
    expect((await check(db)).balanced).toBe(true);
  });

  test("K08 a clock that jumps ahead closes nothing: whether a month is over, the database says", async () => {
    const running = monthOf(systemClock.now());
    const jumped = { ...deps, clock: systemClock };
    const back = jumpTime(400 * dayMs);
    try {
      for (const month of [running, monthOf(systemClock.now())])
        await expect(invoiceMonth(jumped, month)).rejects.toMatchObject({ code: "month_open" });
      expect(await dueMonths(db, monthsNow(systemClock))).not.toContain(running);
    } finally {
      back();
    }
    expect(await monthNamed(db, running)).toBeUndefined();
  });

  test("a month that lasts is not closed, and a correction of a closed one is a credit note of the next", async () => {
    const of = merchant();
    now = instantOf(Date.UTC(2025, 6, 1));
    const mistake = captured(of, Date.UTC(2025, 5, 20));
    await write(mistake);
    await expect(invoiceMonth(deps, "2025-07")).rejects.toMatchObject({ code: "month_open" });
    await invoiceMonth(deps, "2025-06");
    const before = only(await documentsOf(deps, of.tenant, newest)).invoice;
    await write(reversalOf(mistake, instantOf(Date.UTC(2025, 6, 2))));
    now = instantOf(Date.UTC(2025, 7, 1));
    await invoiceMonth(deps, "2025-07");
    const [note, invoice] = (await documentsOf(deps, of.tenant, newest)).map((document) => document.invoice);
    // One after the other, as in pages of one.
    const after = async (before: typeof note) =>
      (await documentsOf(deps, of.tenant, { limit: 1, before: before?.id })).map(({ invoice: { id } }) => id);
    expect([await after(undefined), await after(note), await after(invoice)]).toEqual([
      [note?.id],
      [invoice?.id],
      [],
    ]);
    expect(note).toMatchObject({ kind: "credit_note", net: -59n, state: "credited", month: "2025-07" });
    expect(invoice).toEqual(before);
  });

  test("R05 a credit note settles the invoice it corrects, and what is left of it the next ones, never twice", async () => {
    const of = merchant();
    await setProfile(deps, of.tenant, acme({ tax: 1900 }));
    const standing = async () =>
      (await documentsOf(deps, of.tenant, newest)).map(({ invoice }) => [
        invoice.kind,
        invoice.month,
        invoice.state,
        leftOf(invoice),
      ]);
    const owed = async () =>
      (await accountsOf(db, of.tenant)).find(({ code }) => code === "merchant_receivable")?.balance;
    const [paid, wrong, right] = [1, 2, 3].map((day) =>
      captured(of, Date.UTC(2025, 7, day), { invoiced: true, fee: 100n }),
    );
    if (paid === undefined || wrong === undefined || right === undefined)
      throw new TypeError("three captures");
    await write(paid, wrong, right);
    now = instantOf(Date.UTC(2025, 8, 1));
    await invoiceMonth(deps, "2025-08");
    const before = await pdfOf(only(await documentsOf(deps, of.tenant, newest)));
    await write(reversalOf(wrong, instantOf(Date.UTC(2025, 8, 2))));
    now = instantOf(Date.UTC(2025, 9, 1));
    await Promise.all([invoiceMonth(deps, "2025-09"), invoiceMonth(deps, "2025-09")]);
    expect(await standing()).toEqual([
      ["credit_note", "2025-09", "credited", 0n],
      ["invoice", "2025-08", "open", 238n],
    ]);
    expect(await owed()).toBe(238n);
    const [, august] = await documentsOf(deps, of.tenant, newest);
    if (august === undefined) throw new TypeError("an invoice");
    expect(Buffer.compare(await pdfOf(august), before)).toBe(0);
    const [note] = (await documentsOf(deps, of.tenant, newest)).map(({ invoice }) => ({
      ...invoice,
      credited: 0n,
    }));
    if (note === undefined) throw new TypeError("a credit note");
    expect(setOff([august.invoice, note])).toHaveLength(2);
    expect(setOff([august.invoice, { ...note, merchant: newId("merchant") }])).toEqual([]);
    expect(setOff([august.invoice, { ...note, asset: { ...note.asset, code: "EUR" } }])).toEqual([]);
    await payInvoice(deps, august.invoice.id, "bank");
    expect(await owed()).toBe(0n);
    // Too late for the invoice, which is paid: the next one is less, and reminded of no more.
    await write(
      reversalOf(paid, instantOf(Date.UTC(2025, 9, 2))),
      captured(of, Date.UTC(2025, 9, 3), { invoiced: true, fee: 70n }),
      reversalOf(right, instantOf(Date.UTC(2025, 9, 2))),
    );
    now = instantOf(Date.UTC(2025, 10, 1));
    await invoiceMonth(deps, "2025-10");
    const october = (await standing()).filter(([, month]) => month === "2025-10");
    expect(october).toEqual([
      ["invoice", "2025-10", "credited", 0n],
      ["credit_note", "2025-10", "credited", -155n],
    ]);
    expect(await owed()).toBe(-155n);
    const [settled] = (await documentsOf(deps, of.tenant, newest)).filter(
      ({ invoice }) => invoice.kind === "invoice" && invoice.month === "2025-10",
    );
    if (settled === undefined) throw new TypeError("an invoice");
    await expect(payInvoice(deps, settled.invoice.id, "bank")).rejects.toMatchObject({
      code: "invoice_settled",
    });
    now = after(now, 90 * dayMs);
    while (await dun(deps));
    expect(await standing()).toHaveLength(4);
    expect((await standing()).filter(([, month]) => month === "2025-10")).toEqual(october);
    await invoiceMonth(deps, "2025-10");
    expect(await owed()).toBe(-155n);
    expect((await check(db)).balanced).toBe(true);
  });

  test("numbers have no gap and no double, however many close at once and whatever dies, and a second run changes no byte", async () => {
    now = instantOf(Date.UTC(2026, 1, 1));
    const merchants = Array.from({ length: 12 }, merchant);
    for (const of of merchants) await write(captured(of, Date.UTC(2026, 0, 7)));
    const doomed = merchants[5];
    if (doomed === undefined) throw new TypeError("twelve merchants");
    let deaths = 0;
    const mortal: InvoiceDeps = {
      ...deps,
      keyring: {
        ...plain,
        seal: async (tx, scope, message) => {
          if (scope === `billing:${doomed.tenant}` && deaths++ < 2)
            throw new TypeError("the process died here");
          return plain.seal(tx, scope, message);
        },
      },
    };
    const closes = await Promise.allSettled(Array.from({ length: 4 }, () => invoiceMonth(mortal, "2026-01")));
    expect(closes.filter(({ status }) => status === "rejected")).toHaveLength(2);
    await invoiceMonth(deps, "2026-01");
    const all = async () =>
      (await Promise.all(merchants.map(({ tenant }) => documentsOf(deps, tenant, newest)))).map(only);
    const documents = await all();
    const numbers = documents.map(({ invoice }) => invoice.number).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
    expect(documents.every(({ invoice }) => nameOf(invoice).startsWith("2026-0000"))).toBe(true);
    const bytes = await pdfOf(only(documents.slice(0, 1)));
    now = instantOf(Date.UTC(2026, 3, 1));
    await invoiceMonth(deps, "2026-01");
    const again = await all();
    expect(again).toEqual(documents);
    expect(Buffer.compare(await pdfOf(only(again.slice(0, 1))), bytes)).toBe(0);
    expect(Buffer.from(bytes).subarray(0, 5).toString()).toBe("%PDF-");
  });

  test("an invoice that nobody pays goes from step to step, each told once, and stops when it is paid", async () => {
    const of = merchant();
    now = instantOf(Date.UTC(2026, 4, 1));
    await write(captured(of, Date.UTC(2026, 3, 3), { invoiced: true }));
    await setProfile(deps, of.tenant, acme({ reverse: true }));
    await invoiceMonth(deps, "2026-04");
    const { id } = only(await documentsOf(deps, of.tenant, newest)).invoice;
    const states: string[] = [];
    for (const days of [13, 1, 6, 1, 13, 1]) {
      now = after(now, days * dayMs);
      await Promise.all([dun(deps), dun(deps)]);
      states.push(only(await documentsOf(deps, of.tenant, newest)).invoice.state);
    }
    expect(states).toEqual(["open", "overdue", "overdue", "reminded", "reminded", "final_notice"]);
    await payInvoice(deps, id, "late");
    now = after(now, 90 * dayMs);
    await dun(deps);
    const paid = only(await documentsOf(deps, of.tenant, newest));
    expect(paid.invoice).toMatchObject({ state: "paid", reverseCharge: true, tax: 0n });
    expect(dueOf(paid.invoice)).toBe(59n);
    const told = await database.asAdmin<{ state: string }>(
      "select payload ->> 'state' as state from outbox where subject = $1 order by seq",
      [id],
    );
    expect(told.map(({ state }) => state)).toEqual(["open", "overdue", "reminded", "final_notice", "paid"]);
  });

  test("R02 a capture whose fee is all of it is on the invoice, whose fees are those of the ledger", async () => {
    const of = merchant();
    now = instantOf(Date.UTC(2026, 10, 1));
    const october = Date.UTC(2026, 9, 3);
    const earned = async () =>
      (await accountsOf(db, "platform"))
        .filter(({ code }) => code === "platform_fees")
        .reduce((all, { balance }) => all - balance, 0n);
    const before = await earned();
    await write(captured(of, october, { fee: 1000n }), captured(of, october + 1));
    await invoiceMonth(deps, "2026-10");
    const { invoice } = only(await documentsOf(deps, of.tenant, newest));
    expect(invoice).toMatchObject({ net: 1059n, withheld: 1059n, state: "paid" });
    expect(invoice.lines).toMatchObject([{ kind: "capture", count: 2n, gross: 2000n, fee: 1059n }]);
    expect(invoice.net).toBe((await earned()) - before);
  });

  test("one organization whose invoices cannot be written or dunned keeps nobody else from theirs", async () => {
    now = instantOf(Date.UTC(2026, 11, 1));
    const two = [merchant(), merchant()].sort((a, b) => (a.tenant < b.tenant ? -1 : 1));
    const [broken = merchant(), sound = merchant()] = two;
    for (const of of [broken, sound]) await write(captured(of, Date.UTC(2026, 10, 3), { invoiced: true }));
    const seal: typeof plain.seal = async (tx, scope, message) => {
      if (scope === `billing:${broken.tenant}`) throw new TypeError("its key is gone");
      return plain.seal(tx, scope, message);
    };
    await expect(invoiceMonth({ ...deps, keyring: { ...plain, seal } }, "2026-11")).rejects.toThrow(
      /no invoices of 2026-11/,
    );
    expect(await documentsOf(deps, broken.tenant, newest)).toEqual([]);
    expect(only(await documentsOf(deps, sound.tenant, newest)).invoice.state).toBe("open");
    expect((await monthNamed(db, "2026-11"))?.state).toBe("summed");
    await invoiceMonth(deps, "2026-11");
    expect(only(await documentsOf(deps, broken.tenant, newest)).invoice.state).toBe("open");
    expect((await monthNamed(db, "2026-11"))?.state).toBe("invoiced");
    await database.asAdmin(
      "update invoices set asset = 'ZZZ', next_step_at = next_step_at - interval '1 day' where tenant_id = $1",
      [broken.tenant],
    );
    now = after(now, 31 * dayMs);
    while (await dun(deps));
    expect(only(await documentsOf(deps, sound.tenant, newest)).invoice.state).toBe("overdue");
  });

  test("what an invoice says cannot be changed by the application, nor seen by another organization", async () => {
    const of = merchant();
    now = instantOf(Date.UTC(2026, 8, 1));
    await write(captured(of, Date.UTC(2026, 7, 3)));
    await invoiceMonth(deps, "2026-08");
    for (const text of [
      "update invoices set net = 0",
      "update invoices set number = 1",
      "delete from invoices",
    ])
      await expect(
        db.of(of.tenant).transaction((tx) => tx.run({ text, name: text, values: [] })),
        text,
      ).rejects.toMatchObject({ code: "42501" });
    expect(await documentsOf(deps, newId("tenant"), newest)).toEqual([]);
  });
});
