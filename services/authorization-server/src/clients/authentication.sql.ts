import type { Id } from "@remit/kernel";
import { type Sql, sql, type TenantTx } from "@remit/platform/sql";

/** Which versions of the rows about a client are current; undefined when there is none. */
export async function stampOf(tx: TenantTx, id: string): Promise<string | undefined> {
  const row = await tx.one<{ stamp: string | null }>(sql`select client_stamp(${id}) as stamp`);
  return row.stamp ?? undefined;
}

export type Stamped = { readonly tenant: Id<"tenant">; readonly id: string; readonly stamp: string };

/** The ids of those that are no longer as they were when they had their stamp, of any tenants. */
export async function changedClients(tx: Sql, known: readonly Stamped[]): Promise<readonly string[]> {
  const row = await tx.one<{ changed: readonly string[] }>(sql`select changed_clients(
    ${known.map(({ tenant }) => tenant)}::text[], ${known.map(({ id }) => id)}::text[],
    ${known.map(({ stamp }) => stamp)}::text[]) as changed`);
  return row.changed;
}
