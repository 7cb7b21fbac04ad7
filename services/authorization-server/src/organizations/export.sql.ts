import { sql, type Tx } from "@remit/platform/sql";

const rowsAtOnce = 200;

/** Every row of the transaction's tenant in one table, as JSON, some at a time; one table after the other. */
export async function* exportedRows(tx: Tx, table: string): AsyncGenerator<readonly string[]> {
  await tx.run(sql`select open_export(${table})`);
  for (let some: readonly { readonly row: string }[]; ; ) {
    some = await tx.many<{ row: string }>(sql`fetch forward 200 from export`);
    if (some.length > 0) yield some.map(({ row }) => row);
    if (some.length < rowsAtOnce) break;
  }
  await tx.run(sql`close export`);
}
