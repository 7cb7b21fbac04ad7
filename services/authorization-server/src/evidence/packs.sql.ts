import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

/** The first one stays. */
export async function insertPack(
  tx: TenantTx,
  of: { charge: Id<"charge">; sealed: Uint8Array; now: Instant },
): Promise<void> {
  await tx.run(sql`insert into evidence_packs (tenant_id, charge_id, sealed, packed_at)
    values (${tx.tenant}, ${of.charge}, ${Buffer.from(of.sealed)}, ${sqlTime(of.now)})
    on conflict (tenant_id, charge_id) do nothing`);
}

export const findPack = async (tx: Sql, charge: Id<"charge">): Promise<Uint8Array | undefined> =>
  (await tx.maybe<{ sealed: Uint8Array }>(sql`select sealed from evidence_packs where charge_id = ${charge}`))
    ?.sealed;
