import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Partner, PartnerStatus } from "./partners.ts";

type Row = {
  readonly id: Id<"partner">;
  readonly name: string;
  readonly issuer: string;
  readonly jwks_uri: string;
  readonly allowed_organizations: readonly string[] | null;
  readonly status: PartnerStatus;
  readonly created_at: Instant;
  readonly expires_at: Instant | null;
};

const partnerOf = (row: Row): Partner => ({
  id: row.id,
  name: row.name,
  issuer: row.issuer,
  jwksUri: row.jwks_uri,
  allowedOrganizations: row.allowed_organizations ?? undefined,
  status: row.status,
  createdAt: row.created_at,
  expiresAt: row.expires_at ?? undefined,
});

const time = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));
const list = (of: readonly string[] | undefined): string[] | null => (of === undefined ? null : [...of]);

/** Writes the partner unless the tenant has `max` already; false then. Throws on the constraint `partners_issuer`. */
export async function insertPartner(tx: TenantTx, partner: Partner, max: number): Promise<boolean> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`partners ${tx.tenant}`}, 0))`);
  const { count } = await tx.run(sql`insert into partners (tenant_id, id, name, issuer, jwks_uri,
      allowed_organizations, status, created_at, changed_at, expires_at)
    select ${tx.tenant}, ${partner.id}, ${partner.name}, ${partner.issuer}, ${partner.jwksUri},
      ${list(partner.allowedOrganizations)}::text[], ${partner.status}, ${sqlTime(partner.createdAt)}::timestamptz,
      ${sqlTime(partner.createdAt)}::timestamptz, ${time(partner.expiresAt)}::timestamptz
    where (select count(*) from partners) < ${max}`);
  return count === 1;
}

export async function findPartner(tx: TenantTx, id: Id<"partner">): Promise<Partner | undefined> {
  const row = await tx.maybe<Row>(sql`select * from partners where id = ${id}`);
  return row && partnerOf(row);
}

export async function lockPartner(tx: TenantTx, id: Id<"partner">): Promise<Partner | undefined> {
  const row = await tx.maybe<Row>(sql`select * from partners where id = ${id} for no key update`);
  return row && partnerOf(row);
}

export async function findByIssuer(tx: TenantTx, issuer: string): Promise<Partner | undefined> {
  const row = await tx.maybe<Row>(sql`select * from partners where issuer = ${issuer}`);
  return row && partnerOf(row);
}

export async function listPartners(
  tx: TenantTx,
  page: { limit: number; before: Id<"partner"> | undefined },
): Promise<Partner[]> {
  const before = page.before ?? null;
  const found = await tx.many<Row>(sql`select * from partners
    where ${before}::text is null or id < ${before} order by id desc limit ${page.limit}`);
  return found.map(partnerOf);
}

export async function savePartner(tx: TenantTx, partner: Partner, now: Instant): Promise<void> {
  await tx.run(sql`update partners set name = ${partner.name}, status = ${partner.status},
      allowed_organizations = ${list(partner.allowedOrganizations)}::text[], changed_at = ${sqlTime(now)},
      expires_at = ${time(partner.expiresAt)}
    where id = ${partner.id}`);
}

export async function deletePartner(tx: TenantTx, id: Id<"partner">): Promise<Partner | undefined> {
  const row = await tx.maybe<Row>(sql`delete from partners where id = ${id} returning *`);
  return row && partnerOf(row);
}
