import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { IdentityProvider } from "./identity-providers.ts";

type Row = {
  readonly id: Id<"provider">;
  readonly tenant_id: Id<"tenant">;
  readonly name: string;
  readonly issuer: string;
  readonly client_id: string;
  readonly auth_method: IdentityProvider["authMethod"];
  readonly sealed_secret: Uint8Array | null;
  readonly scopes: readonly string[];
  readonly email_domains: readonly string[];
  readonly link_policy: IdentityProvider["linkPolicy"];
  readonly jit_policy: IdentityProvider["jitPolicy"];
  readonly aal2_acr_values: readonly string[];
  readonly status: IdentityProvider["status"];
  readonly created_at: Instant;
};

const providerOf = (row: Row): IdentityProvider => ({
  id: row.id,
  tenant: row.tenant_id,
  name: row.name,
  issuer: row.issuer,
  clientId: row.client_id,
  authMethod: row.auth_method,
  sealedSecret: row.sealed_secret ?? undefined,
  scopes: row.scopes,
  emailDomains: row.email_domains,
  linkPolicy: row.link_policy,
  jitPolicy: row.jit_policy,
  aal2AcrValues: row.aal2_acr_values,
  status: row.status,
  createdAt: row.created_at,
});

/** Writes it unless the tenant has `max` already; false then. Those of one tenant wait for each other. */
export async function insertProvider(tx: TenantTx, it: IdentityProvider, max: number): Promise<boolean> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`identity_providers ${tx.tenant}`}, 0))`);
  const { count } = await tx.run(sql`insert into identity_providers (tenant_id, id, name, issuer, client_id,
      auth_method, sealed_secret, scopes, email_domains, link_policy, jit_policy, aal2_acr_values, status, created_at,
      changed_at)
    select ${tx.tenant}, ${it.id}, ${it.name}, ${it.issuer}, ${it.clientId}, ${it.authMethod},
      ${it.sealedSecret ?? null}::bytea, ${[...it.scopes]}::text[], ${[...it.emailDomains]}::text[], ${it.linkPolicy},
      ${it.jitPolicy}, ${[...it.aal2AcrValues]}::text[], ${it.status}, ${sqlTime(it.createdAt)}::timestamptz,
      ${sqlTime(it.createdAt)}::timestamptz
    where (select count(*) from identity_providers) < ${max}`);
  return count === 1;
}

export async function findProvider(
  tx: TenantTx,
  id: Id<"provider">,
  lock: "none" | "update" = "none",
): Promise<IdentityProvider | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from identity_providers where id = ${id}`
      : sql`select * from identity_providers where id = ${id} for no key update`,
  );
  return row && providerOf(row);
}

/** One that signs people in: neither it nor its organization is suspended, nor the organization deleted. */
export async function findActive(
  tx: TenantTx,
  id: Id<"provider">,
  lock: "none" | "share" = "none",
): Promise<IdentityProvider | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select p.* from identity_providers p join tenant_standings o on o.tenant_id = p.tenant_id
          where p.id = ${id} and p.status = 'active' and o.status = 'active'`
      : sql`select p.* from identity_providers p join tenant_standings o on o.tenant_id = p.tenant_id
          where p.id = ${id} and p.status = 'active' and o.status = 'active' for share`,
  );
  return row && providerOf(row);
}

export async function listProviders(
  tx: TenantTx,
  page: { limit: number; before?: Id<"provider"> | undefined },
): Promise<IdentityProvider[]> {
  const found = await tx.many<Row>(sql`select * from identity_providers
    where ${page.before ?? null}::text is null or id < ${page.before ?? null}
    order by id desc limit ${page.limit}`);
  return found.map(providerOf);
}

export async function listActive(tx: TenantTx, limit: number): Promise<IdentityProvider[]> {
  const found = await tx.many<Row>(sql`select p.* from identity_providers p
      join tenant_standings o on o.tenant_id = p.tenant_id
    where p.status = 'active' and o.status = 'active' order by p.name, p.id limit ${limit}`);
  return found.map(providerOf);
}

export async function saveProvider(tx: TenantTx, it: IdentityProvider, now: Instant): Promise<void> {
  await tx.run(sql`update identity_providers set name = ${it.name}, auth_method = ${it.authMethod},
      sealed_secret = ${it.sealedSecret ?? null}, scopes = ${[...it.scopes]}::text[],
      email_domains = ${[...it.emailDomains]}::text[], link_policy = ${it.linkPolicy}, jit_policy = ${it.jitPolicy},
      aal2_acr_values = ${[...it.aal2AcrValues]}::text[], status = ${it.status}, changed_at = ${sqlTime(now)}
    where id = ${it.id}`);
}

export async function deleteProvider(
  tx: TenantTx,
  id: Id<"provider">,
): Promise<IdentityProvider | undefined> {
  const row = await tx.maybe<Row>(sql`delete from identity_providers where id = ${id} returning *`);
  return row && providerOf(row);
}

export async function tenantOfProvider(tx: Sql, id: Id<"provider">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.one<{ tenant: Id<"tenant"> | null }>(
    sql`select tenant_of_identity_provider(${id}) as tenant`,
  );
  return row.tenant ?? undefined;
}
