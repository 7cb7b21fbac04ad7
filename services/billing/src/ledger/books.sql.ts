import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { AccountShown, EntryShown, Exported, Place } from "./books.ts";

// The books as a whole, through functions that the application may call and that write nothing (0376_statements.sql).

type EntryRow = Omit<EntryShown, "postings">;

export async function entry(tx: Sql, id: Id<"entry">): Promise<EntryShown | undefined> {
  const found = await tx.maybe<EntryRow>(sql`
    select e.id, e.kind, e.object_id as object, e.transition, e.ordinal, e.charge_id as charge, e.reverses, e.posted_at as at,
      ledger_source(e.object_id) as source, (select r.id from ledger_entries r where r.reverses = e.id) as "reversedBy"
    from ledger_entries e where e.id = ${id}`);
  if (found === undefined) return undefined;
  type Row = Omit<EntryShown["postings"][number], "units" | "balance"> & { units: string; balance: string };
  const postings = await tx.many<Row>(
    sql`select tenant as owner, account, asset, units, balance from ledger_postings_of(${id})`,
  );
  return {
    ...found,
    postings: postings.map((row) => ({ ...row, units: BigInt(row.units), balance: BigInt(row.balance) })),
  };
}

export async function account(tx: Sql, id: string, most: number): Promise<AccountShown | undefined> {
  type Row = Omit<AccountShown, "balance" | "newest"> & { balance: string };
  const found = await tx.maybe<Row>(sql`
    select ${id}::text as id, code, tenant as owner, merchant, asset, balance, postings, opened_at as "openedAt"
    from ledger_account_named(${id})`);
  if (found === undefined) return undefined;
  const newest = await tx.many<{ entry: Id<"entry">; units: string; balance: string }>(
    sql`select entry, units, balance from ledger_account_postings(${id}, null, ${most}::integer)`,
  );
  return {
    ...found,
    balance: BigInt(found.balance),
    newest: newest.map((row) => ({ ...row, units: BigInt(row.units), balance: BigInt(row.balance) })),
  };
}

export const exported = (
  tx: Sql,
  of: { readonly from: Instant; readonly until: Instant; readonly beyond: Place; readonly most: number },
): Promise<Exported[]> =>
  tx.many<Exported>(sql`
    select id, kind, object, transition, ordinal, charge, reverses, posted_at as at, postings
    from ledger_export(${sqlTime(of.from)}::timestamptz, ${sqlTime(of.until)}::timestamptz, ${sqlTime(of.beyond.at)}::timestamptz,
      ${of.beyond.id}, ${of.most}::integer)`);
