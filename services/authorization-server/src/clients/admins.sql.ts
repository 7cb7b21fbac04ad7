import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Scope } from "@remit/protocol";
import type { Admin } from "./admins.ts";

type Row = {
  readonly id: Id<"client">;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly secret_ends: string | null;
  readonly made_by: string | null;
  readonly created_at: Instant;
  readonly rotated_at: Instant | null;
  readonly disabled_at: Instant | null;
};

const adminOf = (row: Row): Admin => ({
  id: row.id,
  name: row.name,
  scopes: row.scopes,
  secretEnds: row.secret_ends ?? undefined,
  madeBy: row.made_by ?? undefined,
  createdAt: row.created_at,
  rotatedAt: row.rotated_at ?? undefined,
  revokedAt: row.disabled_at ?? undefined,
});

export async function listAdmins(
  tx: TenantTx,
  { limit, before }: { readonly limit: number; readonly before: Id<"client"> | undefined },
): Promise<Admin[]> {
  const found =
    await tx.many<Row>(sql`select id, name, scopes, secret_ends, made_by, created_at, rotated_at, disabled_at
    from clients
    where tenant_id = ${tx.tenant} and kind = 'admin' and (${before ?? null}::text is null or id < ${before ?? null})
    order by id desc limit ${limit}`);
  return found.map(adminOf);
}

/** Counted under a lock of the tenant's row, until the transaction ends. */
export async function countLive(tx: TenantTx): Promise<number> {
  await tx.run(sql`select 1 from tenants where tenant_id = ${tx.tenant} for no key update`);
  const { count } = await tx.one<{ count: bigint }>(sql`select count(*) as count from clients
    where tenant_id = ${tx.tenant} and kind = 'admin' and disabled_at is null`);
  return Number(count);
}

export async function findAdmin(tx: TenantTx, id: Id<"client">): Promise<Admin | undefined> {
  const row =
    await tx.maybe<Row>(sql`select id, name, scopes, secret_ends, made_by, created_at, rotated_at, disabled_at
    from clients where tenant_id = ${tx.tenant} and id = ${id} and kind = 'admin'`);
  return row && adminOf(row);
}

export async function updateSecret(
  tx: TenantTx,
  id: Id<"client">,
  { secretDigest, secretEnds, now }: { secretDigest: Uint8Array; secretEnds: string; now: Instant },
): Promise<Admin | undefined> {
  const row = await tx.maybe<Row>(sql`update clients
    set secret_digest = ${secretDigest}, secret_ends = ${secretEnds}, rotated_at = ${sqlTime(now)}
    where tenant_id = ${tx.tenant} and id = ${id} and kind = 'admin' and disabled_at is null
    returning id, name, scopes, secret_ends, made_by, created_at, rotated_at, disabled_at`);
  return row && adminOf(row);
}

export async function disable(tx: TenantTx, id: Id<"client">, now: Instant): Promise<Admin | undefined> {
  const row = await tx.maybe<Row>(sql`update clients set disabled_at = ${sqlTime(now)}
    where tenant_id = ${tx.tenant} and id = ${id} and kind = 'admin' and disabled_at is null
    returning id, name, scopes, secret_ends, made_by, created_at, rotated_at, disabled_at`);
  return row && adminOf(row);
}
