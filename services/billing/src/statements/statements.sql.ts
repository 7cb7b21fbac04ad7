import type { Asset, Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Moved, Period, Summed } from "./statement.ts";

export type Asked = { readonly merchant: Id<"merchant">; readonly asset: Asset } & Period;

type Row = Omit<Moved, "net" | "fee"> & { readonly net: string; readonly fee: string };

/** Beyond an entry, in the order of their ids. */
export const moved = async (
  tx: Sql,
  of: Asked,
  page: { readonly beyond: string; readonly most: number },
): Promise<Moved[]> =>
  (
    await tx.many<Row>(sql`
      select id as entry, kind, object, transition, charge, posted_at as at, amount as net, fee
      from ledger_statement(${of.merchant}, ${of.asset.code}, ${sqlTime(of.from)}::timestamptz, ${sqlTime(of.until)}::timestamptz,
        ${page.beyond}, ${page.most}::integer)`)
  ).map((row) => ({ ...row, net: BigInt(row.net), fee: BigInt(row.fee) }));

type SumRow = {
  readonly kind: string;
  readonly transition: string;
  readonly count: bigint;
  readonly amount: string;
  readonly fee: string;
};

export const sums = async (tx: Sql, of: Asked): Promise<Summed[]> =>
  (
    await tx.many<SumRow>(sql`
      select kind, transition, count, amount, fee
      from ledger_statement_sums(${of.merchant}, ${of.asset.code}, ${sqlTime(of.from)}::timestamptz, ${sqlTime(of.until)}::timestamptz)`)
  ).map(({ amount, fee, count, ...row }) => ({
    ...row,
    count: Number(count),
    net: BigInt(amount),
    fee: BigInt(fee),
  }));

export const owedBefore = async (
  tx: Sql,
  { merchant, asset }: Pick<Asked, "merchant" | "asset">,
  at: Instant,
): Promise<bigint> =>
  BigInt(
    (
      await tx.one<{ owed: string }>(
        sql`select ledger_owed(${merchant}, ${asset.code}, ${sqlTime(at)}::timestamptz) as owed`,
      )
    ).owed,
  );

/** What the tenant's merchants are owed, and owe, by merchant and asset. */
export const balances = async (tx: Sql): Promise<Balance[]> =>
  (
    await tx.many<Omit<Balance, "owed" | "feesDue"> & { owed: string; fees_due: string }>(sql`
      select merchant_id as merchant, asset,
        coalesce(-sum(balance) filter (where code = 'merchant_payable'), 0)::text as owed,
        coalesce(sum(balance) filter (where code = 'merchant_receivable'), 0)::text as fees_due
      from ledger_accounts where merchant_id is not null group by merchant_id, asset order by 1, 2 limit 1000`)
  ).map(({ owed, fees_due: due, ...row }) => ({ ...row, owed: BigInt(owed), feesDue: BigInt(due) }));

export type Balance = {
  readonly merchant: Id<"merchant">;
  readonly asset: string;
  readonly owed: bigint;
  readonly feesDue: bigint;
};
