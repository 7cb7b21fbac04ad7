import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Booked, Difference } from "./differences.ts";
import type { Case } from "./reconciliation.ts";

type BookedRow = {
  readonly object: string;
  readonly asset: string;
  readonly amount: string;
  readonly fee: string;
};

const bookedOf = ({ amount, fee, ...row }: BookedRow): Booked => ({
  ...row,
  amount: BigInt(amount),
  fee: BigInt(fee),
});

/**
 * What moved our balance at Stripe, and what was kept of it: their sum is the amount that Stripe says, in the currency in which it
 * says it, whatever account the entry has emptied. Of these balance transactions.
 */
export const bookedAs = async (tx: Sql, objects: readonly string[]): Promise<Booked[]> =>
  (
    await tx.many<BookedRow>(sql`
      select e.object_id as object, p.asset, sum(p.units) as amount, coalesce(sum(p.units) filter (where p.account_id like 'processor\_fees:%'), 0) as fee
      from ledger_entries e join ledger_postings p on p.entry_id = e.id
      where e.object_id = any(${objects}) and e.transition = 'booked' 
        and p.account_id like any (array['processor\_fees:%', 'stripe\_balance:%'])
      group by e.object_id, p.asset`)
  ).map(bookedOf);

/** The same within a time, beyond one object, in pages of 500. What a chain has booked moves neither account. */
export const bookedWithin = async (
  tx: Sql,
  of: { from: Instant; until: Instant; beyond: string },
): Promise<Booked[]> =>
  (
    await tx.many<BookedRow>(sql`
      select e.object_id as object, p.asset, sum(p.units) as amount, coalesce(sum(p.units) filter (where p.account_id like 'processor\_fees:%'), 0) as fee
      from ledger_entries e join ledger_postings p on p.entry_id = e.id
      where e.posted_at >= ${sqlTime(of.from)} and e.posted_at < ${sqlTime(of.until)} and e.kind = 'booking'
        and e.object_id > ${of.beyond} and p.account_id like any (array['processor\_fees:%', 'stripe\_balance:%'])
      group by e.object_id, p.asset order by e.object_id limit 500`)
  ).map(bookedOf);

export type CasePage = {
  readonly limit: number;
  readonly before: Id<"case"> | undefined;
  readonly open: boolean | undefined;
};

export async function openCase(
  tx: Sql,
  difference: Difference,
  { id, now }: { id: Id<"case">; now: Instant },
): Promise<boolean> {
  const { kind, object, asset, ours, theirs } = difference;
  const written = await tx.run(sql`
    insert into reconciliation_cases (tenant_id, id, kind, object_id, asset, ours, theirs, opened_at)
    values ('platform', ${id}, ${kind}, ${object}, ${asset}, ${ours}, ${theirs}, ${sqlTime(now)})
    on conflict (object_id, kind) do nothing`);
  return written.count === 1;
}

/** Opens the case of an account where money waits, or opens it again; undefined while it is open. */
export const openWaiting = async (
  tx: Sql,
  of: { id: Id<"case">; object: string; asset: string; ours: bigint; now: Instant },
): Promise<Id<"case"> | undefined> =>
  (
    await tx.maybe<{ id: Id<"case"> }>(sql`
      insert into reconciliation_cases as c (tenant_id, id, kind, object_id, asset, ours, opened_at)
      values ('platform', ${of.id}, 'waits', ${of.object}, ${of.asset}, ${of.ours}, ${sqlTime(of.now)})
      on conflict (object_id, kind) do update
        set opened_at = excluded.opened_at, ours = excluded.ours, resolved_at = null, resolved_by = null, note = null
        where c.resolved_at is not null
      returning id`)
  )?.id;

/** It has cleared; undefined when no case was open. */
export const closeWaiting = async (tx: Sql, object: string, now: Instant): Promise<Id<"case"> | undefined> =>
  (
    await tx.maybe<{ id: Id<"case"> }>(sql`
      update reconciliation_cases set resolved_at = ${sqlTime(now)}, resolved_by = 'billing', note = 'It has cleared.'
      where object_id = ${object} and kind = 'waits' and resolved_at is null returning id`)
  )?.id;

type CaseRow = Omit<Case, "ours" | "theirs"> & {
  readonly ours: string | null;
  readonly theirs: string | null;
};

const caseOf = ({ ours, theirs, ...row }: CaseRow): Case => ({
  ...row,
  ours: ours === null ? null : BigInt(ours),
  theirs: theirs === null ? null : BigInt(theirs),
});

/** The newest first: ids are minted as cases are opened, and stay when one is resolved. */
export const cases = async (tx: Sql, { limit, before, open }: CasePage): Promise<Case[]> =>
  (
    await tx.many<CaseRow>(sql`
      select id, kind, object_id as object, asset, ours, theirs, opened_at as "openedAt", resolved_at as "resolvedAt", note
      from reconciliation_cases
      where (${before ?? null}::text is null or id < ${before ?? null})
        and (${open ?? null}::boolean is null or (resolved_at is null) = ${open ?? null})
      order by id desc limit ${limit}`)
  ).map(caseOf);

/** Undefined when there is no such case, or it was resolved before. */
export async function resolveCase(
  tx: Sql,
  of: { id: Id<"case">; by: string; note: string; now: Instant },
): Promise<Case | undefined> {
  const row = await tx.maybe<CaseRow>(sql`
    update reconciliation_cases set resolved_at = ${sqlTime(of.now)}, resolved_by = ${of.by}, note = ${of.note}
    where id = ${of.id} and resolved_at is null
    returning id, kind, object_id as object, asset, ours, theirs, opened_at as "openedAt", resolved_at as "resolvedAt", note`);
  return row === undefined ? undefined : caseOf(row);
}
