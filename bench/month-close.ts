import { randomBytes } from "node:crypto";
import path from "node:path";
import {
  after,
  assetOf,
  dayMs,
  type Id,
  instantOf,
  invariant,
  money,
  newId,
  systemClock,
} from "@remit/kernel";
import { createKeyring, kekOf } from "@remit/platform/keys";
import { type Database, sql, sqlTime } from "@remit/platform/sql";
import { createLog } from "@remit/platform/telemetry";
import { type InvoiceDeps, invoiceMonth } from "../services/billing/src/invoices/invoices.ts";
import { check } from "../services/billing/src/ledger/check.ts";
import { boundsOf, captureEntry, monthOf, post } from "../services/billing/src/ledger/index.ts";
import { type BillingDatabase, inBillingDatabase } from "./billing-database.ts";
import { processesOf } from "./database-process.ts";
import { round } from "./measure.ts";

const merchants = 2_000;
const few = 100_000;
const many = 1_000_000;
const sampledEachMs = 100;

/**
 * A month of 100,000 charges and then one of a million, over 2,000 merchants of as many organizations, each closed by what
 * closes them in the product: summed up and invoiced. Twice more at once, it changes nothing.
 */
export const benchMonthClose = () =>
  inBillingDatabase(4, async (on) => {
    const now = systemClock.now();
    const last = monthOf(instantOf(boundsOf(monthOf(now)).from - dayMs));
    const before = monthOf(instantOf(boundsOf(last).from - dayMs));
    const keyring = createKeyring({ kek: kekOf(randomBytes(32)), clock: systemClock });
    const log = createLog({ service: "bench", level: "error" });
    const deps = { db: on.db, clock: systemClock, log, keyring };
    const owners = Array.from({ length: merchants }, ownerOf);
    const small = await lived(on, deps, { month: before, owners, charges: few });
    const large = await lived(on, deps, { month: last, owners, charges: many });
    return {
      merchants,
      charges_100k: small,
      charges_1m: large,
      rss_ratio: round(large.rss_mb / small.rss_mb),
      database_ratio: round(large.database_mb / small.database_mb),
    };
  });

type Owner = { readonly tenant: Id<"tenant">; readonly merchant: Id<"merchant">; readonly minor: bigint };
const ownerOf = (_: unknown, at: number): Owner => ({
  tenant: newId("tenant"),
  merchant: newId("merchant"),
  minor: 500n + 7n * BigInt(at),
});

type Living = { readonly month: string; readonly owners: readonly Owner[]; readonly charges: number };

async function lived(on: BillingDatabase, deps: InvoiceDeps, living: Living) {
  await fill(on, living);
  const peak = await watched(on, async () => {
    const started = performance.now();
    await invoiceMonth(deps, living.month);
    return (performance.now() - started) / 1000;
  });
  const made = await digestOf(on.admin, living);
  await Promise.all([invoiceMonth(deps, living.month), invoiceMonth(deps, living.month)]);
  invariant((await digestOf(on.admin, living)) === made, "a month that is closed again is as it was");
  return {
    seconds: round(peak.result),
    cpu_s: peak.cpuS,
    database_cpu_s: peak.databaseCpuS,
    rss_mb: peak.rssMb,
    database_mb: peak.databaseMb,
  };
}

/**
 * One charge of each merchant is posted by the product; the others are copies of its rows, with ids and moments of their own
 * and with the balance that each posting left behind. That they are what the product would have written, its check says.
 */
async function fill({ db, admin }: BillingDatabase, { month, owners, charges }: Living): Promise<void> {
  const each = charges / owners.length;
  const { from } = boundsOf(month);
  for (let at = 0; at < owners.length; at += 100)
    await db.global.transaction((tx) =>
      post(
        tx,
        owners.slice(at, at + 100).map((owner) => captured(owner, from)),
      ),
    );
  const stepMs = Math.floor((25 * dayMs) / each);
  await admin.global.transaction(async (tx) => {
    // Triggers check, row by row, what the check of the books reads as a whole afterwards.
    await tx.run(sql`set local session_replication_role = replica`);
    await tx.run(sql`set local work_mem = '256MB'`);
    await tx.run(sql`insert into ledger_entries (id, kind, object_id, transition, ordinal, charge_id, reverses, posted_at, rail,
        fee_schedule, fee_from_minor, owner_tenant, owner_merchant)
      select e.id || 'x' || n, e.kind, e.object_id || 'x' || n, e.transition, e.ordinal, e.charge_id || 'x' || n, e.reverses,
        e.posted_at + n * ${stepMs}::double precision * interval '1 ms', e.rail, e.fee_schedule, e.fee_from_minor, e.owner_tenant, e.owner_merchant
      from ledger_entries e, generate_series(1, ${each - 1}::integer) as n
      where e.posted_at = ${sqlTime(from)}::timestamptz`);
    await tx.run(sql`insert into ledger_postings (tenant_id, entry_id, account_id, asset, units, balance)
      select p.tenant_id, p.entry_id || 'x' || n, p.account_id, p.asset, p.units,
        a.balance + sum(p.units) over (partition by p.account_id order by n, p.entry_id)
      from ledger_entries e join ledger_postings p on p.entry_id = e.id join ledger_accounts a on a.id = p.account_id,
        generate_series(1, ${each - 1}::integer) as n
      where e.posted_at = ${sqlTime(from)}::timestamptz`);
    await tx.run(sql`update ledger_accounts a set balance = s.units, postings = s.count
      from (select account_id, sum(units) as units, count(*) as count from ledger_postings group by account_id) as s
      where s.account_id = a.id`);
  });
  await admin.global.transaction((tx) => tx.run(sql`analyze`));
  const books = await check(admin);
  invariant(books.balanced, "what was filled in is what would have been posted");
}

function captured({ minor, ...owner }: Owner, at: ReturnType<typeof after>) {
  const asset = assetOf("USD");
  invariant(asset !== undefined, "dollars are known");
  return captureEntry({
    charge: newId("charge"),
    payment: newId("payment"),
    owner,
    at,
    rail: "card",
    captured: money(asset, minor),
    fee: money(asset, minor / 20n),
    terms: { schedule: `fsc_${"1".padStart(26, "0")}`, fromVolume: 0n, collection: "withheld" },
  });
}

/** All that a close writes, as one word; what the invoices say was captured is what was. */
async function digestOf(admin: Database, { month, owners, charges }: Living): Promise<string> {
  const found = await admin.global.transaction((tx) =>
    tx.one<{ invoices: number; gross: string; digest: string }>(sql`select
        (select count(*)::integer from invoices where month = ${month}) as invoices,
        (select sum((line ->> 'gross')::numeric) from invoices, jsonb_array_elements(lines) as line where month = ${month}) as gross,
        md5((select string_agg(i::text, '' order by i.id) from invoices i where month = ${month})
          || (select string_agg(s::text, '' order by s.tenant_id) from ledger_sums s where month = ${month})
          || (select m::text from ledger_months m where month = ${month}) || (select count(*) from outbox)
          || (select count(*) || coalesce(max(id), '') from ledger_entries)) as digest`),
  );
  const sold = owners.reduce((sum, { minor }) => sum + minor, 0n) * BigInt(charges / owners.length);
  invariant(found.invoices === owners.length, "each merchant has its invoice");
  invariant(BigInt(found.gross) === sold, "what is invoiced is what was captured");
  return found.digest;
}

/**
 * The most memory, while it runs, of this program and of all connections of the database (without what they share), and what both
 * take of a processor: on a busy machine that says more than the seconds.
 */
async function watched<R>({ directory }: BillingDatabase, work: () => Promise<R>) {
  const database = processesOf(path.join(directory, "postgres"));
  let [rssMb, databaseMb] = [0, 0];
  const look = async (): Promise<void> => {
    rssMb = Math.max(rssMb, process.memoryUsage.rss() / 2 ** 20);
    databaseMb = Math.max(databaseMb, await database.ownMb());
  };
  const timer = setInterval(() => void look(), sampledEachMs);
  const [before, databaseBefore] = [process.cpuUsage(), await database.cpuMs()];
  try {
    const result = await work();
    const { user, system } = process.cpuUsage(before);
    return {
      result,
      cpuS: round((user + system) / 1e6, 1),
      databaseCpuS: round(((await database.cpuMs()) - databaseBefore) / 1000, 1),
      rssMb: round(rssMb, 1),
      databaseMb: round(databaseMb, 1),
    };
  } finally {
    clearInterval(timer);
  }
}
