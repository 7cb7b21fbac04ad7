import { type Sql, sql } from "@remit/platform/sql";

export type TreeNode = { readonly level: number; readonly place: number; readonly hash: Uint8Array };

type Hash = { readonly hash: Uint8Array };

/** Leaves in the order of the log, from an index (the place less one) on. */
export const readLeaves = (
  tx: Sql,
  tenant: string,
  { from, count }: { readonly from: number; readonly count: number },
): Promise<Hash[]> =>
  tx.many(sql`
    select leaf as hash from audit_chain
    where tenant_id = ${tenant} and seq > ${from} and seq <= ${from + count} order by seq`);

/** The roots of full tiles, of one level. */
export const readNodes = (
  tx: Sql,
  tenant: string,
  { level, from, count }: { readonly level: number; readonly from: number; readonly count: number },
): Promise<Hash[]> =>
  tx.many(sql`
    select hash from audit_tree
    where tenant_id = ${tenant} and level = ${level} and place >= ${from} and place < ${from + count}
    order by place`);

/** How many tiles of a level are full and have their root kept: they are kept from the left, without a gap. */
export async function nodesKept(tx: Sql, tenant: string, level: number): Promise<number> {
  const { kept } = await tx.one<{ kept: bigint | null }>(
    sql`select max(place) + 1 as kept from audit_tree where tenant_id = ${tenant} and level = ${level}`,
  );
  return Number(kept ?? 0);
}

export const insertNode = (tx: Sql, tenant: string, node: TreeNode): Promise<{ count: number }> =>
  tx.run(sql`
    insert into audit_tree (tenant_id, level, place, hash)
    values (${tenant}, ${node.level}, ${node.place}, ${node.hash})`);

export type SignedTree = { readonly head_seq: bigint; readonly jws: string; readonly note: string };

/** The newest checkpoint that names the root of its tree. */
export const newestTree = (tx: Sql, tenant: string): Promise<SignedTree | undefined> =>
  tx.maybe(sql`
    select head_seq, jws, note from audit_checkpoints where tenant_id = ${tenant} and note is not null
    order by head_seq desc limit 1`);
