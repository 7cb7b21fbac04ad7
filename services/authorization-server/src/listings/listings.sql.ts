import type { Id } from "@remit/kernel";
import { type Sql, sql, type TenantTx } from "@remit/platform/sql";

/**
 * The next revision of a subject, higher than every former one; its row is locked until the transaction ends. Counted from
 * the microseconds of the database's clock, so that a database which was set back does not count below its former self.
 */
export async function nextRevision(tx: TenantTx, subject: string): Promise<number> {
  const { revision } = await tx.one<{
    revision: bigint;
  }>(sql`insert into listings as l (subject, tenant_id, revision)
    values (${subject}, ${tx.tenant}, (extract(epoch from clock_timestamp()) * 1000000)::bigint)
    on conflict (subject) do update set revision = greatest(l.revision + 1, excluded.revision)
    returning revision`);
  return Number(revision);
}

/** What the directory knows now, unless it was told something newer meanwhile. */
export async function saveTold(
  tx: TenantTx,
  told: { readonly subject: string; readonly revision: number; readonly kid: string | null },
): Promise<void> {
  await tx.run(sql`update listings set kid = ${told.kid}, told_at = now()
    where subject = ${told.subject} and tenant_id = ${tx.tenant} and revision = ${told.revision}`);
}

export async function saveStale(tx: TenantTx): Promise<void> {
  await tx.run(sql`update listings set told_at = 'epoch' where tenant_id = ${tx.tenant} and kid is not null`);
}

type Stale = { readonly subject: Id<"agent">; readonly tenant: Id<"tenant"> };

/**
 * What is shown and was signed by another key, and whatever was last told a day ago, withdrawn or not: a directory that was
 * restored from a backup would show for ever what was withdrawn since. Withdrawn ones are many and keep no shown one waiting.
 */
export const findStale = (
  db: Sql,
  { kid, shown, withdrawn }: { readonly kid: string; readonly shown: number; readonly withdrawn: number },
): Promise<Stale[]> =>
  db.many<Stale>(sql`(select subject, tenant_id as tenant from listings
      where kid is not null and (kid <> ${kid} or told_at < now() - interval '1 day')
      order by told_at limit ${shown})
    union all
    (select subject, tenant_id as tenant from listings
      where kid is null and told_at < now() - interval '1 day' order by told_at limit ${withdrawn})`);
