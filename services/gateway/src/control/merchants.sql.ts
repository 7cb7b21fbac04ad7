import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export type MerchantRow = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"merchant">;
  readonly origin: string;
  readonly client_id: string;
  readonly generation: bigint;
};

/** Where merchants are, of every tenant, oldest first; not their secrets. */
export const readMerchants = (tx: RelayTx): Promise<MerchantRow[]> =>
  tx.many<MerchantRow>(sql`select tenant_id, id, origin, client_id, generation from merchants order by id`);

export const findMerchant = (tx: TenantTx, id: Id<"merchant">): Promise<MerchantRow | undefined> =>
  tx.maybe<MerchantRow>(
    sql`select tenant_id, id, origin, client_id, generation from merchants where id = ${id}`,
  );

export const readSealed = (tx: TenantTx, id: Id<"merchant">): Promise<{ sealed: Uint8Array } | undefined> =>
  tx.maybe<{ sealed: Uint8Array }>(sql`select sealed from merchants where id = ${id}`);

export type Written = {
  readonly id: Id<"merchant">;
  readonly origin: string;
  readonly clientId: string;
  readonly sealed: Uint8Array;
  readonly now: Instant;
};

/** Writes it, or writes over what its own tenant wrote. */
export const putMerchant = (tx: TenantTx, { id, origin, clientId, sealed, now }: Written): Promise<unknown> =>
  tx.run(sql`insert into merchants
      (tenant_id, id, origin, client_id, sealed, created_at, updated_at)
    values (${tx.tenant}, ${id}, ${origin}, ${clientId}, ${sealed}::bytea, ${sqlTime(now)}::timestamptz, ${sqlTime(now)}::timestamptz)
    on conflict (tenant_id, id) do update set origin = excluded.origin, client_id = excluded.client_id,
      sealed = excluded.sealed, generation = merchants.generation + 1, updated_at = excluded.updated_at`);
