import { type Sql, sql } from "@remit/platform/sql";
import type { Refund } from "./payment.ts";

export type ReturnPlace = { readonly network: string; readonly transaction: string };

/** Which of a transaction's transfers the refund has for itself; undefined while it has none. */
export const returnOf = async (tx: Sql, { id }: Refund): Promise<number | undefined> =>
  (await tx.maybe<{ log_index: number }>(sql`select log_index from refund_transfers where refund_id = ${id}`))
    ?.log_index;

/** Takes a transfer for this refund; false when it was another's, anybody's, or this refund has one. */
export async function takeReturn(
  tx: Sql & { readonly tenant: string },
  { id }: Refund,
  { network, transaction, log }: ReturnPlace & { readonly log: number },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`insert into refund_transfers (tenant_id, refund_id, network, transaction, log_index)
    values (${tx.tenant}, ${id}, ${network}, ${transaction}, ${log}) on conflict do nothing`);
  return count === 1;
}
