import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Tenant, TenantKind } from "./tenants.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly name: string;
  readonly kind: TenantKind;
  readonly created_at: Instant;
};

export async function insertTenant(tx: TenantTx, tenant: Tenant): Promise<void> {
  await tx.run(sql`insert into tenants (tenant_id, name, kind, created_at)
    values (${tenant.id}, ${tenant.name}, ${tenant.kind}, ${sqlTime(tenant.createdAt)})`);
}

export async function findTenant(tx: TenantTx): Promise<Tenant | undefined> {
  const row = await tx.maybe<Row>(sql`select tenant_id, name, kind, created_at from tenants`);
  return row && { id: row.tenant_id, name: row.name, kind: row.kind, createdAt: row.created_at };
}
