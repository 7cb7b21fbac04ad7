import type { Id } from "@remit/kernel";
import { type Sql, sql } from "@remit/platform/sql";

export const findCustomer = async (tx: Sql): Promise<string | undefined> =>
  (await tx.maybe<{ reference: string }>(sql`select reference from stripe_customers`))?.reference;

/** The first reference wins; whoever comes second gets it. */
export async function keepCustomer(
  tx: Sql,
  of: { tenant: Id<"tenant">; reference: string; at: string },
): Promise<string> {
  await tx.run(sql`
    insert into stripe_customers (tenant_id, reference, created_at) values (${of.tenant}, ${of.reference}, ${of.at})
    on conflict (tenant_id) do nothing`);
  return (
    await tx.one<{ reference: string }>(
      sql`select reference from stripe_customers where tenant_id = ${of.tenant}`,
    )
  ).reference;
}
