import type { Id } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { accountIdOf, chart, tenantOf } from "./chart.ts";
import type { Entry } from "./entries.ts";
import type { Account, EntriesQuery, PostedEntry } from "./ledger.ts";

export const accountIdsOf = (entry: Entry): string[] =>
  entry.legs.map((leg) => accountIdOf(leg, aboutOf(entry)));

const aboutOf = ({ charge, object }: Entry): string => charge ?? object;

export async function postEntries(tx: Sql, entries: readonly Entry[]): Promise<Id<"entry">[]> {
  if (entries.length === 0) return [];
  try {
    const written = await tx.many<{ id: Id<"entry"> }>(
      sql`select ledger_post as id from ledger_post(${JSON.stringify(entries.map(jsonOf))}::jsonb)`,
    );
    return written.map(({ id }) => id);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === monthClosed)
      throw new Problem("month_closed", { cause });
    throw cause;
  }
}

export const entryNamed = async (
  tx: Sql,
  { object, transition }: { readonly object: string; readonly transition: string },
): Promise<Id<"entry"> | undefined> =>
  (
    await tx.maybe<{ id: Id<"entry"> }>(sql`
      select id from ledger_entries where object_id = ${object} and transition = ${transition} and ordinal = 1`)
  )?.id;

/** Raised by ledger_post(). */
const monthClosed = "LG004";

const jsonOf = (entry: Entry): object => ({
  ...entry,
  at: sqlTime(entry.at),
  legs: entry.legs.map((leg) => ({
    tenant: tenantOf(leg),
    account: accountIdOf(leg, aboutOf(entry)),
    code: leg.code,
    merchant: leg.owner?.merchant ?? null,
    asset: leg.asset,
    side: chart[leg.code].side,
    units: String(leg.units),
  })),
});

export async function accounts(tx: Sql): Promise<Account[]> {
  type Row = Omit<Account, "balance"> & { balance: string };
  const found = await tx.many<Row>(
    sql`select id, code, coalesce(merchant_id, tenant_id) as owner, asset, balance from ledger_accounts order by id limit 1000`,
  );
  return found.map((row) => ({ ...row, balance: BigInt(row.balance) }));
}

/** Account by account, each from its own index: entries of others are never walked through. */
const newestIds = async (tx: Sql, limit: number): Promise<string[]> =>
  (
    await tx.many<{ id: string }>(sql`
      select distinct p.entry_id as id from ledger_accounts a cross join lateral (
        select entry_id from ledger_postings where account_id = a.id order by entry_id desc limit ${limit}) as p
      order by id desc limit ${limit}`)
  ).map(({ id }) => id);

/** Also of entries whose postings are all of other tenants: joining them with our postings leaves those out. */
const idsOfCharge = async (tx: Sql, charge: Id<"charge">): Promise<string[]> =>
  (
    await tx.many<{ id: string }>(
      sql`select id from ledger_entries where charge_id = ${charge} order by id desc limit 1000`,
    )
  ).map(({ id }) => id);

export async function entries(tx: Sql, { charge, limit }: EntriesQuery): Promise<PostedEntry[]> {
  type Row = Omit<PostedEntry, "postings"> & {
    postings: { account: string; asset: string; units: string }[];
  };
  const ids = charge === undefined ? await newestIds(tx, limit) : await idsOfCharge(tx, charge);
  const found = await tx.many<Row>(sql`
    select e.id, e.kind, e.charge_id as charge, e.posted_at as at,
      jsonb_agg(jsonb_build_object('account', p.account_id, 'asset', p.asset, 'units', p.units::text) order by p.account_id) as postings
    from ledger_entries e join ledger_postings p on p.entry_id = e.id
    where e.id = any(${ids})
    group by e.id order by e.id desc limit ${limit}`);
  return found.map((row) => ({
    ...row,
    postings: row.postings.map((posting) => ({ ...posting, units: BigInt(posting.units) })),
  }));
}
