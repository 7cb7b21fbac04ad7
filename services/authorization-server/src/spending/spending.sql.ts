import type { Id, Instant } from "@remit/kernel";
import { type Sql, type SqlValue, type Statement, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Grouping } from "./groupings.ts";

/**
 * Adds what a charge spent, or gave back, in budget units, to the sums of its day. In the transaction that moves the budget,
 * after it: whoever counts for a mandate has its budget locked.
 */
export async function countSpending(
  tx: TenantTx,
  charge: Id<"charge">,
  by: { readonly spent: bigint; readonly refunded: bigint; readonly charges: 0 | 1 },
): Promise<void> {
  await tx.run(sql`select count_spending(${charge}, ${String(by.spent)}::numeric,
    ${String(by.refunded)}::numeric, ${by.charges}::integer)`);
}

/** Days as they are written: 2026-11-30. */
export type Days = { readonly since: string; readonly until: string };

export type SpendingFilter = Days & {
  readonly mandate: Id<"mandate"> | undefined;
  readonly agent: Id<"agent"> | undefined;
  readonly merchant: Id<"merchant"> | undefined;
  readonly category: string | undefined;
};

export type Sum = {
  readonly key: string;
  readonly currency: string;
  readonly spent: bigint;
  readonly refunded: bigint;
  readonly charges: number;
};

type SumRow = Omit<Sum, "spent" | "refunded"> & { readonly spent: string; readonly refunded: string };
const sumOf = (row: SumRow): Sum => ({ ...row, spent: BigInt(row.spent), refunded: BigInt(row.refunded) });

const keys: Readonly<Record<Grouping, string>> = {
  agent: "agent_id",
  merchant: "merchant_id",
  category: "category",
  day: "day::text",
  mandate: "mandate_id",
};

/** The greatest first; days in their order. */
export async function sumsBy(
  tx: Sql,
  grouping: Grouping,
  asked: { readonly filter: SpendingFilter; readonly limit: number },
): Promise<Sum[]> {
  const built = conditions(asked.filter);
  const order = grouping === "day" ? "key, currency" : "sum(spent) desc, key, currency";
  const text = `select ${keys[grouping]} as key, currency, ${summed} ${built.from}
    group by ${keys[grouping]}, currency order by ${order} limit ${built.value(asked.limit)}`;
  return (await tx.many<SumRow>(built.statement(text))).map(sumOf);
}

const summed = "sum(spent)::text as spent, sum(refunded)::text as refunded, sum(charges)::integer as charges";

export type DayLine = Omit<Sum, "key"> & {
  readonly day: string;
  readonly agent_id: Id<"agent">;
  readonly mandate_id: Id<"mandate">;
  readonly merchant_id: Id<"merchant">;
  readonly category: string;
};

/** Every sum that is kept, in the order of days. */
export async function dayLines(
  tx: Sql,
  { filter, limit }: { readonly filter: SpendingFilter; readonly limit: number },
): Promise<DayLine[]> {
  const built = conditions(filter);
  const columns = "day::text as day, agent_id, mandate_id, merchant_id, category, currency";
  const text = `select ${columns}, spent::text as spent, refunded::text as refunded, charges ${built.from}
    order by day, mandate_id, agent_id, merchant_id, category, currency limit ${built.value(limit)}`;
  const found = await tx.many<Omit<DayLine, "spent" | "refunded"> & { spent: string; refunded: string }>(
    built.statement(text),
  );
  return found.map((row) => ({ ...row, spent: BigInt(row.spent), refunded: BigInt(row.refunded) }));
}

type Built = { readonly from: string; value(value: SqlValue): string; statement(text: string): Statement };

/** Put together from the filter's members alone and without a name, so that each search is planned for its own values. */
function conditions({ since, until, mandate, agent, merchant, category }: SpendingFilter): Built {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  // A mandate that was asked for is shown with what was spent below it.
  const where = [`day between ${value(since)}::date and ${value(until)}::date`];
  where.push(mandate === undefined ? "not below" : `mandate_id = ${value(mandate)}`);
  if (agent !== undefined) where.push(`agent_id = ${value(agent)}`);
  if (merchant !== undefined) where.push(`merchant_id = ${value(merchant)}`);
  if (category !== undefined) where.push(`category = ${value(category)}`);
  return {
    from: `from spending_days where ${where.join(" and ")}`,
    value,
    statement: (text) => ({ text, values, name: "" }),
  };
}

/** The principal's zone, and which day it is there. */
export async function today(tx: TenantTx): Promise<{ readonly zone: string; readonly today: string }> {
  return tx.one<{ zone: string; today: string }>(sql`select spending_today()::text as today,
    coalesce((select zone from wallet_settings where tenant_id = ${tx.tenant}), 'UTC') as zone`);
}

export async function saveZone(tx: TenantTx, zone: string, now: Instant): Promise<void> {
  await tx.run(sql`insert into wallet_settings (tenant_id, zone, changed_at)
    values (${tx.tenant}, ${zone}, ${sqlTime(now)})
    on conflict (tenant_id) do update set zone = excluded.zone, changed_at = excluded.changed_at`);
}

/** Whether PostgreSQL knows the zone. */
export async function knowsZone(tx: Sql, zone: string): Promise<boolean> {
  const row = await tx.one<{ known: boolean }>(
    sql`select exists (select 1 from pg_timezone_names where name = ${zone}) as known`,
  );
  return row.known;
}
