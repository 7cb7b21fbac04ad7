import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { KeyPurpose } from "./client-keys.ts";

/** False when the key is another client's, or this one's for another purpose; parallel claims of a key wait for each other. */
export async function claimKey(
  tx: Sql,
  key: { thumbprint: string; client: string; purpose: KeyPurpose; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into client_keys (thumbprint, client_id, purpose, since)
    values (${key.thumbprint}, ${key.client}, ${key.purpose}, ${sqlTime(key.now)})
    on conflict (thumbprint) do update set client_id = excluded.client_id
      where client_keys.client_id = excluded.client_id and client_keys.purpose = excluded.purpose`);
  return count === 1;
}

export async function releaseKeys(tx: TenantTx, client: string): Promise<void> {
  await tx.run(sql`delete from client_keys where client_id = ${client}`);
}
