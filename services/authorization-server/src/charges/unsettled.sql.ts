import { type Sql, sql } from "@remit/platform/sql";

/** Whether anything of the transaction's tenant may still be taken from its card, or is being given back to it. */
export async function anyUnsettled(tx: Sql): Promise<boolean> {
  const row = await tx.one<{ any: boolean }>(sql`select
    exists (select from charges
      where state in ('authorizing', 'authorized', 'committed', 'capturing', 'releasing', 'refunding'))
    or exists (select from tabs where state in ('open', 'settling', 'capturing', 'releasing')) as any`);
  return row.any;
}
