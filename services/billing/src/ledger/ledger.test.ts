import { after, assetOf, dayMs, instantOf, money, newId, systemClock } from "@remit/kernel";
import { createJobs, type Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { createLog, createMetrics } from "@remit/platform/telemetry";
import { type TestDatabase, testDatabase } from "@remit/testkit";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { migrations } from "../tables.ts";
import type { Leg, MerchantOwner } from "./chart.ts";
import { check, checking } from "./check.ts";
import { bookingEntry, captureEntry, type Entry, refundEntry, reversalOf } from "./entries.ts";
import { ledgerJobs } from "./ledger.jobs.ts";
import { accountsOf, entriesOf, isBalanced, post } from "./ledger.ts";
import { closeMonth, sumMonth, sumsOf } from "./months.ts";
import { seenOnChainEntry, transferEntry } from "./transfer-entries.ts";

let database: TestDatabase;
let db: Database;
beforeAll(async () => {
  database = await testDatabase({ service: "billing", sources: migrations });
  db = database.open({ poolMax: 16 });
});
afterAll(() => database.drop());

const now = systemClock.now();
const cleared = { clears: "card_clearing" } as const;
const asset = (code: string) => {
  const found = assetOf(code);
  if (found === undefined) throw new TypeError(code);
  return found;
};
const usd = (units: bigint) => money(asset("USD"), units);
/** What the job finds that reads all books again: its gauge, and what it logged. */
const checkedByItsJob = async () => {
  const said: unknown[] = [];
  const metrics = createMetrics("test");
  const log = createLog({
    service: "test",
    level: "error",
    destination: { write: (line) => void said.push(JSON.parse(line)) },
  });
  const works: Parameters<Jobs["every"]>[2][] = [];
  const jobs: Pick<Jobs, "every"> = {
    every: (_name, _ms, work) => {
      works.push(work);
      return createJobs({ db, log, clock: systemClock });
    },
  };
  ledgerJobs(jobs, { db, clock: systemClock, log, metrics });
  for (const work of works) await work(new AbortController().signal);
  return { gauge: await metrics.text(), said };
};
const owner = (): MerchantOwner => ({ tenant: newId("tenant"), merchant: newId("merchant") });
const write = (...entries: Entry[]) => db.global.transaction((tx) => post(tx, entries));
const moved = (from: MerchantOwner, to: MerchantOwner, units: bigint, code = "USD"): Entry => ({
  id: newId("entry"),
  kind: "capture",
  object: newId("payment"),
  transition: "moved",
  ordinal: 1,
  charge: null,
  reverses: null,
  at: now,
  legs: [
    { code: "merchant_payable", owner: from, asset: code, units: -units },
    { code: "merchant_payable", owner: to, asset: code, units },
  ],
});
const balanceOf = async ({ tenant, merchant }: MerchantOwner, code = "USD") =>
  (await accountsOf(db, tenant)).find(({ id }) => id === `merchant_payable:${merchant}:${code}`)?.balance ??
  0n;
const general = {
  rail: "card",
  terms: { schedule: `fsc_${"1".padStart(26, "0")}`, fromVolume: 0n, collection: "withheld" },
} as const;
const captured = (of: MerchantOwner, units: bigint, fee: bigint) => {
  const paid = { charge: newId("charge"), owner: of, at: now, payment: newId("payment") };
  return captureEntry({ ...paid, ...general, captured: usd(units), fee: usd(fee) });
};

describe("the ledger", () => {
  test("a capture, its booking and a refund leave the clearing account empty", async () => {
    const merchant = owner();
    const charge = newId("charge");
    const paid = { charge, owner: merchant, at: now };
    await write(
      captureEntry({ ...paid, ...general, payment: newId("payment"), captured: usd(1000n), fee: usd(59n) }),
      bookingEntry(paid, {
        ...cleared,
        id: "txn_1",
        nominal: usd(1000n),
        amount: usd(1000n),
        fee: usd(59n),
        direction: "into",
      }),
    );
    await write(
      refundEntry({ ...paid, refund: newId("refund"), refunded: usd(400n) }),
      bookingEntry(paid, {
        ...cleared,
        id: "txn_2",
        nominal: usd(400n),
        amount: usd(400n),
        fee: usd(0n),
        direction: "out_of",
      }),
    );
    expect(await balanceOf(merchant)).toBe(-541n);
    const platform = new Map((await accountsOf(db, "platform")).map(({ code, balance }) => [code, balance]));
    expect(platform.get("card_clearing")).toBe(0n);
    expect(platform.get("platform_fees")).toBe(-59n);
    expect(platform.get("stripe_balance")).toBe(541n);
    expect((await entriesOf(db, merchant.tenant, { charge, limit: 10 })).map(({ kind }) => kind)).toEqual([
      "refund",
      "capture",
    ]);
    expect(await check(db)).toMatchObject({ balanced: true, assets: [{ asset: "USD", imbalance: 0n }] });
  });

  test("the same news posts once, other news under the same name is refused", async () => {
    const merchant = owner();
    const entry = captured(merchant, 1000n, 59n);
    expect(await write(entry)).toEqual([entry.id]);
    expect(await write({ ...entry, id: newId("entry") })).toEqual([]);
    const other = { ...captured(merchant, 1001n, 59n), object: entry.object };
    await expect(write(other)).rejects.toThrow(/says something else/);
    expect(await balanceOf(merchant)).toBe(-941n);
  });

  test("what does not balance, moves nothing or names an account twice is refused on both sides of the wire", async () => {
    const merchant = owner();
    const entry = captured(merchant, 1000n, 59n);
    const broken: Leg[][] = [
      [{ code: "card_clearing", asset: "USD", units: 5n }],
      [
        { code: "card_clearing", asset: "USD", units: 5n },
        { code: "platform_fees", asset: "USD", units: -4n },
      ],
      [
        { code: "card_clearing", asset: "USD", units: 5n },
        { code: "platform_fees", asset: "EUR", units: -5n },
      ],
      [
        { code: "card_clearing", asset: "USD", units: 5n },
        { code: "card_clearing", asset: "USD", units: -5n },
      ],
      [
        { code: "card_clearing", asset: "USD", units: 0n },
        { code: "platform_fees", asset: "USD", units: 0n },
      ],
    ];
    for (const legs of broken) {
      expect(isBalanced({ ...entry, legs })).toBe(false);
      await expect(write({ ...entry, legs })).rejects.toThrow();
    }
    await expect(
      db.global.transaction((tx) =>
        tx.run({
          text: "select ledger_post($1::jsonb)",
          name: "raw",
          values: [
            JSON.stringify([
              {
                id: "ent_x",
                legs: [
                  { asset: "USD", units: "5" },
                  { asset: "USD", units: "-4" },
                ],
              },
            ]),
          ],
        }),
      ),
    ).rejects.toMatchObject({ code: "LG001" });
  });

  test("a merchant's account cannot be taken over by another tenant", async () => {
    const merchant = owner();
    await write(captured(merchant, 1000n, 59n));
    const thief = { ...merchant, tenant: newId("tenant") };
    await expect(write(captured(thief, 1000n, 59n))).rejects.toMatchObject({ code: "LG003" });
    expect(await accountsOf(db, thief.tenant)).toEqual([]);
  });

  test("income cannot turn into a debt: the account's side holds", async () => {
    const merchant = owner();
    await expect(
      write({
        ...captured(merchant, 1000n, 59n),
        legs: [
          { code: "platform_fees", asset: "GBP", units: 10n },
          { code: "merchant_payable", owner: merchant, asset: "GBP", units: -10n },
        ],
      }),
    ).rejects.toMatchObject({ code: "23514" });
  });

  test("C14 transfers in both directions at once do not lock each other out", async () => {
    const [a, b] = [owner(), owner()];
    await write(moved(a, b, 1n), moved(b, a, 1n));
    const sixteen = Array.from({ length: 16 }, async (_, worker) => {
      for (let n = worker; n < 1000; n += 16) await write(n % 2 === 0 ? moved(a, b, 3n) : moved(b, a, 3n));
    });
    await Promise.all(sixteen);
    expect([await balanceOf(a), await balanceOf(b)]).toEqual([0n, 0n]);
    expect((await check(db)).balanced).toBe(true);
  });

  test("C15 five hundred captures at once for one merchant lose none", async () => {
    const merchant = owner();
    const writers = Array.from({ length: 16 }, async (_, worker) => {
      for (let n = worker; n < 500; n += 16) await write(captured(merchant, 1000n, 59n));
    });
    await Promise.all(writers);
    expect(await balanceOf(merchant)).toBe(-941n * 500n);
    expect((await check(db)).balanced).toBe(true);
  });

  test("I1 R01 after any sequence of operations, with crashes, debits equal credits and balances equal postings", async () => {
    type Step = {
      op: "capture" | "refund" | "again" | "reverse";
      who: number;
      units: bigint;
      fee: bigint;
      crash: boolean;
    };
    const steps: fc.Arbitrary<Step> = fc.record({
      op: fc.constantFrom("capture", "capture", "refund", "again", "reverse"),
      who: fc.nat(2),
      units: fc.bigInt(1n, 10n ** 24n),
      fee: fc.bigInt(0n, 10_000n),
      crash: fc.boolean(),
    });
    const entryFor = ({ op, units, fee }: Step, of: MerchantOwner, last: Entry | undefined): Entry => {
      const paid = { charge: newId("charge"), owner: of, at: now };
      if (op === "again" && last !== undefined) return { ...last, id: newId("entry") };
      if (op === "reverse" && last !== undefined) return reversalOf(last, now);
      if (op === "refund") return refundEntry({ ...paid, refund: newId("refund"), refunded: usd(units) });
      return captureEntry({
        ...paid,
        ...general,
        payment: newId("payment"),
        captured: usd(units + fee),
        fee: usd(fee),
      });
    };
    let count = 0;
    const run = async (sequence: readonly Step[]): Promise<void> => {
      const merchants = [owner(), owner(), owner()];
      const expected = new Map<string, bigint>();
      const standing: Entry[] = [];
      for (const step of sequence) {
        count += 1;
        const entry = entryFor(step, merchants[step.who] ?? owner(), standing.at(-1));
        let written: readonly string[] = [];
        const crash = new TypeError("the process died here");
        await db.global
          .transaction(async (tx) => {
            written = await post(tx, [entry]);
            if (step.crash) throw crash;
          })
          .catch((error: unknown) => (error === crash ? undefined : Promise.reject(error)));
        if (step.crash || written.length === 0) continue;
        if (entry.kind === "reversal") standing.pop();
        else standing.push(entry);
        for (const { owner: whose, units } of entry.legs)
          if (whose !== undefined) expected.set(whose.merchant, (expected.get(whose.merchant) ?? 0n) + units);
      }
      for (const of of merchants) expect(await balanceOf(of)).toBe(expected.get(of.merchant) ?? 0n);
      expect((await check(db)).balanced).toBe(true);
    };
    await fc.assert(fc.asyncProperty(fc.array(steps, { minLength: 5, maxLength: 60 }), run), { numRuns: 60 });
    expect(count).toBeGreaterThan(400);
  });

  test("R05 the application can neither change nor delete nor insert a posting, nor move a balance", async () => {
    const merchant = owner();
    await write(captured(merchant, 1000n, 59n));
    const forbidden = [
      "update ledger_postings set units = 1",
      "delete from ledger_postings",
      "truncate ledger_postings",
      "update ledger_entries set kind = 'x'",
      "delete from ledger_entries",
      "update ledger_accounts set balance = 0",
      "delete from ledger_accounts",
      "insert into ledger_entries (id, kind, object_id, transition, ordinal, posted_at) values ('e', 'x', 'o', 't', 1, now())",
      "select ledger_write('{}'::jsonb)",
    ];
    for (const text of forbidden)
      await expect(
        db.of(merchant.tenant).transaction((tx) => tx.run({ text, name: text.slice(0, 40), values: [] })),
        text,
      ).rejects.toMatchObject({ code: "42501" });
    for (const text of [
      "update ledger_postings set units = 1",
      "delete from ledger_entries",
      "truncate ledger_postings cascade",
    ])
      await expect(database.asAdmin(text), text).rejects.toMatchObject({ code: "42501" });
  });

  test("R05 a mistake is put right by a reversing entry, once", async () => {
    const merchant = owner();
    const entry = captured(merchant, 1000n, 59n);
    await write(entry);
    await write(reversalOf(entry, now));
    expect(await balanceOf(merchant)).toBe(0n);
    expect(await write(reversalOf(entry, now))).toEqual([]);
  });

  test("R03 nothing is posted into a closed month, and a mistake in it is put right in an open one", async () => {
    const merchant = owner();
    const then = instantOf(Date.UTC(2024, 0, 31, 23, 59, 59, 999));
    const entry = { ...captured(merchant, 1000n, 59n), at: then };
    await write(entry);
    expect(await closeMonth(db, "2024-01", then)).toBe(false);
    expect(await closeMonth(db, "2024-01", after(then, 1))).toBe(true);
    await expect(write({ ...captured(merchant, 1n, 0n), at: then })).rejects.toMatchObject({
      code: "month_closed",
    });
    await expect(write(reversalOf(entry, then))).rejects.toMatchObject({ code: "month_closed" });
    await write(reversalOf(entry, after(then, 1)));
    expect(await balanceOf(merchant)).toBe(0n);
    expect((await check(db)).balanced).toBe(true);
  });

  test("R03 a month that is closed while captures are being posted has all of them or refuses them", async () => {
    const merchant = owner();
    const then = instantOf(Date.UTC(2024, 2, 31, 23, 59, 59));
    let posted = 0;
    const writers = Array.from({ length: 8 }, async () => {
      for (let n = 0; n < 15; n++)
        await write({ ...captured(merchant, 100n, 1n), at: then }).then(
          () => (posted += 1),
          (error: unknown) => expect(error).toMatchObject({ code: "month_closed" }),
        );
    });
    const closing = closeMonth(db, "2024-03", after(then, dayMs));
    const [, ...rest] = await Promise.all([closing, ...writers]);
    expect(rest).toHaveLength(8);
    const before = posted;
    while (await sumMonth(db, "2024-03", 7));
    const sums = await db.of(merchant.tenant).transaction((tx) => sumsOf(tx, "2024-03"));
    expect(sums.reduce((all, { count }) => all + count, 0n)).toBe(BigInt(before));
    expect(await balanceOf(merchant)).toBe(-99n * BigInt(before));
  });

  test("a month is summed up once, slice by slice, whatever dies between and however many sum", async () => {
    const merchant = owner();
    const at = (n: number) => instantOf(Date.UTC(2024, 4, 1 + (n % 28), 0, 0, n % 3));
    for (let n = 0; n < 40; n++) await write({ ...captured(merchant, 1000n, 59n), at: at(n) });
    const refund = { charge: newId("charge"), owner: merchant, refund: newId("refund"), refunded: usd(300n) };
    await write(refundEntry({ ...refund, at: at(3) }));
    await closeMonth(db, "2024-05", instantOf(Date.UTC(2024, 5, 1)));
    const died = new TypeError("the process died here");
    await expect(
      db.global.transaction(async (tx) => {
        await tx.run({ text: "select ledger_sum('2024-05', 5)", name: "dies", values: [] });
        throw died;
      }),
    ).rejects.toBe(died);
    const workers = Array.from({ length: 4 }, async () => {
      while (await sumMonth(db, "2024-05", 5));
    });
    await Promise.all(workers);
    expect(await sumMonth(db, "2024-05", 5)).toBe(false);
    const sums = await db.of(merchant.tenant).transaction((tx) => sumsOf(tx, "2024-05"));
    expect(sums).toMatchObject([
      { kind: "capture", count: 40n, gross: 40_000n, withheld: 2_360n, invoiced: 0n, rail: "card" },
      { kind: "refund", count: 1n, gross: -300n, withheld: 0n, invoiced: 0n },
    ]);
  });

  test("the books are read once, however many ask whether they are right at a time", async () => {
    const readings = vi.spyOn(db.snapshot, "transaction");
    const books = checking(() => check(db));
    const found = await Promise.all(Array.from({ length: 20 }, books));
    expect(readings).toHaveBeenCalledTimes(1);
    expect(new Set(found).size).toBe(1);
    expect(await books()).toMatchObject({ balanced: true });
    expect(readings).toHaveBeenCalledTimes(2);
    readings.mockRestore();
  });

  test("two transfers that one transaction of a chain has made are two, in the books and as payments", async () => {
    const merchant = owner();
    const transaction = `0x${"5e".repeat(32)}`;
    const inTokens = money(asset("USDC_BASE"), 7_000_000n);
    const seen = { id: transaction, amount: inTokens, fee: money(inTokens.asset, 0n) };
    for (const payment of [newId("payment"), newId("payment")]) {
      const paid = { charge: newId("charge"), owner: merchant, at: now };
      const capture = { ...paid, ...general, payment, rail: "x402", captured: inTokens, fee: seen.fee };
      expect(await write(transferEntry(capture), seenOnChainEntry(paid, seen, "into"))).toHaveLength(2);
      expect(await write(seenOnChainEntry(paid, seen, "into"))).toEqual([]);
      await database.asAdmin(
        `insert into payments (tenant_id, id, charge_id, generation, payee_id, merchant_id, rail, currency, amount_minor, state,
          reference, captured_minor, transfer, settled_by, leased_until, state_since, created_at)
         values ($1, $2, $3, 1, $1, $4, 'x402', 'USDC_BASE', 7000000, 'captured', $2, 7000000, '{}', $5, now(), now(), now())`,
        [merchant.tenant, payment, paid.charge, merchant.merchant, transaction],
      );
    }
    expect(await balanceOf(merchant, "USDC_BASE")).toBe(0n);
    expect(await check(db)).toMatchObject({ balanced: true });
  });

  test("a balance changed behind the ledger's back is found", async () => {
    const merchant = owner();
    await write(captured(merchant, 1000n, 59n));
    await database.asAdmin("update ledger_accounts set balance = balance + 1 where merchant_id = $1", [
      merchant.merchant,
    ]);
    expect(await check(db)).toMatchObject({ balanced: false });
    const { gauge, said } = await checkedByItsJob();
    expect(gauge).toMatch(/^ledger_out_of_balance(\{.*\})? 1$/m);
    expect(said).toEqual([expect.objectContaining({ assets: expect.any(Array) })]);
    await database.asAdmin("update ledger_accounts set balance = balance - 1 where merchant_id = $1", [
      merchant.merchant,
    ]);
    expect(await check(db)).toMatchObject({ balanced: true });
    const after = await checkedByItsJob();
    expect(after.gauge).toMatch(/^ledger_out_of_balance(\{.*\})? 0$/m);
    expect(after.said).toEqual([]);
  });
});
