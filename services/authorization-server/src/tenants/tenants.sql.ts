import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Tenant } from "./tenants.ts";

export async function insertTenant(tx: TenantTx, tenant: Tenant): Promise<void> {
  await tx.run(sql`insert into tenants (tenant_id, name, kind, created_at)
    values (${tenant.id}, ${tenant.name}, ${tenant.kind}, ${sqlTime(tenant.createdAt)})`);
}
