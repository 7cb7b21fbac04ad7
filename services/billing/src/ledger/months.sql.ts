import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { ClearingAccount, Month, MonthsNow, RunningFee, Sum } from "./months.ts";

const momentOf = (now: MonthsNow): string | null => (now === undefined ? null : sqlTime(now));

export const close = async (tx: Sql, month: string, now: MonthsNow): Promise<boolean> =>
  (
    await tx.one<{ closed: boolean }>(
      sql`select ledger_close(${month}, coalesce(${momentOf(now)}::timestamptz, clock_timestamp())) as closed`,
    )
  ).closed;

export const sumSlice = async (tx: Sql, month: string, most: number): Promise<boolean> =>
  (await tx.one<{ more: boolean }>(sql`select ledger_sum(${month}, ${most}::integer) as more`)).more;

export const months = (tx: Sql): Promise<Month[]> =>
  tx.many<Month>(sql`
    select month, state, closed_at as "closedAt", finished_at as "finishedAt" from ledger_months order by month desc limit 240`);

export const month = (tx: Sql, name: string): Promise<Month | undefined> =>
  tx.maybe<Month>(sql`
    select month, state, closed_at as "closedAt", finished_at as "finishedAt" from ledger_months where month = ${name}`);

export const firstPosted = (tx: Sql, now: MonthsNow): Promise<{ first: Instant | null; now: Instant }> =>
  tx.one(sql`select (select posted_at from ledger_entries order by posted_at limit 1) as first,
    coalesce(${momentOf(now)}::timestamptz, clock_timestamp()) as now`);

export const finish = async (tx: Sql, name: string, now: Instant): Promise<void> => {
  await tx.run(sql`
    update ledger_months set state = 'invoiced', finished_at = ${sqlTime(now)} where month = ${name} and state = 'summed'`);
};

export const tenantsOf = async (
  tx: Sql,
  of: { month: string; beyond: string; most: number },
): Promise<Id<"tenant">[]> =>
  (
    await tx.many<{ id: Id<"tenant"> }>(
      sql`select ledger_month_tenants as id from ledger_month_tenants(${of.month}, ${of.beyond}, ${of.most}::integer)`,
    )
  ).map(({ id }) => id);

export async function sums(tx: Sql, name: string): Promise<Sum[]> {
  type Row = {
    readonly merchant: Id<"merchant">;
    readonly asset: string;
    readonly kind: string;
    readonly rail: string;
    readonly schedule: string;
    readonly from_volume: bigint;
    readonly count: bigint;
    readonly gross: string;
    readonly withheld: string;
    readonly invoiced: string;
  };
  const found = await tx.many<Row>(sql`
    select merchant_id as merchant, asset, kind, rail, fee_schedule as schedule, fee_from_minor as from_volume, count, gross, withheld,
      invoiced
    from ledger_sums where month = ${name} order by merchant_id, asset, kind, rail, fee_schedule, fee_from_minor`);
  return found.map(({ from_volume: fromVolume, ...row }) => ({
    ...row,
    fromVolume,
    gross: BigInt(row.gross),
    withheld: BigInt(row.withheld),
    invoiced: BigInt(row.invoiced),
  }));
}

export const running = async (
  tx: Sql,
  { from, until }: { readonly from: Instant; readonly until: Instant },
): Promise<RunningFee[]> =>
  (
    await tx.many<
      Pick<RunningFee, "merchant" | "asset"> & { readonly fee: string; readonly withheld: string }
    >(
      sql`select merchant, asset, fee, withheld
        from ledger_running_fees(${sqlTime(from)}::timestamptz, ${sqlTime(until)}::timestamptz)`,
    )
  ).map(({ fee, withheld, ...row }) => ({ ...row, fee: BigInt(fee), withheld: BigInt(withheld) }));

export async function clearing(tx: Sql, since: Instant): Promise<ClearingAccount[]> {
  type Row = Omit<ClearingAccount, "balance" | "waiting" | "recent"> & {
    balance: string;
    waiting: bigint;
    recent: string;
  };
  const found = await tx.many<Row>(sql`
    select code, asset, balance, waiting, waits_since as "waitsSince", recent from ledger_waiting(${sqlTime(since)}::timestamptz)`);
  return found.map((row) => ({
    ...row,
    balance: BigInt(row.balance),
    waiting: Number(row.waiting),
    recent: BigInt(row.recent),
  }));
}
