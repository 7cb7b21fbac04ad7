import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export const insertResponse = (
  tx: TenantTx,
  claim: Id<"claim">,
  response: { readonly sealed: Uint8Array; readonly keepUntil: Instant },
): Promise<unknown> =>
  tx.run(sql`insert into responses (tenant_id, claim_id, sealed, keep_until)
    values (${tx.tenant}, ${claim}, ${response.sealed}, ${sqlTime(response.keepUntil)})`);

export async function findResponse(
  tx: TenantTx,
  claim: Id<"claim">,
  now: Instant,
): Promise<Uint8Array | undefined> {
  const row = await tx.maybe<{ sealed: Uint8Array }>(
    sql`select sealed from responses where claim_id = ${claim} and keep_until > ${sqlTime(now)}`,
  );
  return row?.sealed;
}

export const deleteResponse = (tx: TenantTx, claim: Id<"claim">): Promise<unknown> =>
  tx.run(sql`delete from responses where claim_id = ${claim}`);

/** Tenants that have expired responses. For the relay. */
export const findExpired = (tx: Sql): Promise<{ tenant_id: Id<"tenant"> }[]> =>
  tx.many(sql`select distinct tenant_id from responses where keep_until <= now() limit 1000`);

export const deleteExpired = (tx: TenantTx, now: Instant): Promise<{ count: number }> =>
  tx.run(sql`delete from responses where keep_until <= ${sqlTime(now)}`);
