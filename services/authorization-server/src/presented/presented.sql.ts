import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

/** With the commit at the latest. */
export function insertPresented(
  tx: TenantTx,
  of: { charge: Id<"charge">; sealed: Uint8Array; tokenExpiresAt: Instant },
): void {
  tx.defer(sql`insert into charge_presentations (tenant_id, charge_id, sealed, token_expires_at)
    values (${tx.tenant}, ${of.charge}, ${Buffer.from(of.sealed)}, ${sqlTime(of.tokenExpiresAt)})`);
}

export const findPresented = (
  tx: Sql,
  charge: Id<"charge">,
): Promise<{ sealed: Uint8Array; tokenExpiresAt: Instant } | undefined> =>
  tx.maybe(sql`select sealed, token_expires_at as "tokenExpiresAt" from charge_presentations
    where charge_id = ${charge}`);
