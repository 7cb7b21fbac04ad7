import { after, dayMs, type Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";

const failuresMax = 3;

/** Counts one more; the third within a day begins the day in which that payer pays first. */
export async function countOne(tx: TenantTx, payer: string, now: Instant): Promise<void> {
  const dayAgo = sqlTime(after(now, -dayMs));
  await tx.run(sql`
    insert into settlement_failures as known (tenant_id, payer, failures, since)
    values (${tx.tenant}, ${payer}, 1, ${sqlTime(now)})
    on conflict (tenant_id, payer) do update set
      failures = case when known.since <= ${dayAgo} then 1 else known.failures + 1 end,
      since = case when known.since <= ${dayAgo} then excluded.since else known.since end,
      before_until = case when known.since > ${dayAgo} and known.failures + 1 >= ${failuresMax}
        then ${sqlTime(after(now, dayMs))} else known.before_until end`);
  // What is over for longer than that says nothing any more.
  await tx.run(sql`delete from settlement_failures
    where since <= ${dayAgo} and (before_until is null or before_until <= ${sqlTime(now)})`);
}

export const paysFirst = async (tx: TenantTx, payer: string, now: Instant): Promise<boolean> =>
  (await tx.maybe(sql`select 1 from settlement_failures
    where payer = ${payer} and before_until > ${sqlTime(now)}`)) !== undefined;
