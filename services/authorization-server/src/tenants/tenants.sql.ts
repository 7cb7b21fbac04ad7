import type { Id } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Publisher, Tenant } from "./tenants.ts";

export async function insertTenant(
  tx: TenantTx,
  tenant: Tenant & { readonly slug: string | undefined; readonly madeBy: string | undefined },
): Promise<void> {
  const createdAt = sqlTime(tenant.createdAt);
  await tx.run(sql`insert into tenant_standings (tenant_id, slug, made_by, created_at, changed_at)
    values (${tenant.id}, ${tenant.slug ?? null}, ${tenant.madeBy ?? null}, ${createdAt}, ${createdAt})`);
  await tx.run(sql`insert into tenants (tenant_id, name, kind, created_at)
    values (${tenant.id}, ${tenant.name}, ${tenant.kind}, ${createdAt})`);
}

/** Whether bearer tokens may be issued; the row is kept as read until the transaction ends. */
export async function findBearer(tx: TenantTx): Promise<boolean> {
  const row = await tx.maybe<{ bearer_tokens: boolean }>(sql`select bearer_tokens from tenants for share`);
  return row?.bearer_tokens === true;
}

export async function saveBearer(tx: TenantTx, allowed: boolean): Promise<void> {
  await tx.run(sql`update tenants set bearer_tokens = ${allowed} where tenant_id = ${tx.tenant}`);
}

/** The row is kept as read until the transaction ends. Tenants that nobody governs have none. */
export async function findStatus(tx: Sql, tenant: Id<"tenant">): Promise<string | undefined> {
  const row = await tx.maybe<{ status: string }>(
    sql`select status from tenant_standings where tenant_id = ${tenant} for share`,
  );
  return row?.status;
}

export async function existsTenant(tx: TenantTx): Promise<boolean> {
  const row = await tx.one<{ there: boolean }>(sql`select exists (select from tenants) as there`);
  return row.there;
}

export async function findPublisher(tx: TenantTx): Promise<Publisher> {
  const row = await tx.maybe<{ name: string; kind: string; status: Publisher["status"]; erased: boolean }>(
    sql`select t.name, t.kind, coalesce(s.status, 'active') as status, s.erased_at is not null as erased
      from tenants t left join tenant_standings s on s.tenant_id = t.tenant_id`,
  );
  if (row === undefined) return { name: undefined, status: "deleted", erased: true };
  return { name: row.kind === "company" ? row.name : undefined, status: row.status, erased: row.erased };
}
