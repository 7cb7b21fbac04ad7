import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Merchant } from "./merchants.ts";

type Row = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"merchant">;
  readonly display_name: string;
  readonly origin: string;
  readonly client_id: string;
  readonly jwks_uri: string;
  readonly jwks: Merchant["jwks"];
  readonly jwks_pending: Merchant["jwks"] | null;
  readonly jwks_pending_since: Instant | null;
  readonly catalogue_uri: string | null;
  readonly country: string;
  readonly currencies: string[];
  readonly categories: string[];
  readonly rails: Merchant["rails"];
  readonly verified_at: Instant | null;
  readonly proven_at: Instant | null;
  readonly checked_at: Instant | null;
  readonly updated_at: Instant;
};

/** What a list may be narrowed by. */
export type MerchantFilter = {
  readonly clientId?: string | undefined;
  readonly origin?: string | undefined;
  readonly country?: string | undefined;
  readonly currency?: string | undefined;
  readonly rail?: string | undefined;
  readonly category?: string | undefined;
};

/** Holds others off this origin until the transaction ends, so that who has it is decided once. */
export const lockOrigin = (tx: TenantTx, origin: string): Promise<unknown> =>
  tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`merchant ${origin}`}, 0))`);

export async function insertMerchant(tx: TenantTx, merchant: Merchant): Promise<boolean> {
  const at = sqlTime(merchant.updatedAt);
  const written = await tx.run(sql`
    insert into merchants (tenant_id, id, display_name, origin, client_id, jwks_uri, jwks, catalogue_uri, country,
      currencies, categories, rails, verification_status, created_at, updated_at)
    select ${merchant.tenant}, ${merchant.id}, ${merchant.displayName}, ${merchant.origin}, ${merchant.clientId},
      ${merchant.jwksUri}, ${JSON.stringify(merchant.jwks)}::jsonb, ${merchant.catalogueUri ?? null}, ${merchant.country},
      ${merchant.currencies}::text[], ${merchant.categories}::text[], ${merchant.rails}::text[], 'provisional',
      ${at}::timestamptz, ${at}::timestamptz
    where not exists (select 1 from merchants where origin = ${merchant.origin} and verification_status = 'verified'
      and proven_at is not null)
    on conflict do nothing`);
  return written.count === 1;
}

/** The merchant, if it is verified or the transaction's own tenant's. */
export async function findMerchant(tx: Sql, id: Id<"merchant">): Promise<Merchant | undefined> {
  const row = await tx.maybe<Row>(sql`select * from merchants where id = ${id}`);
  return row === undefined ? undefined : merchantOf(row);
}

export async function findOwnMerchantAt(tx: TenantTx, origin: string): Promise<Merchant | undefined> {
  const row = await tx.maybe<Row>(
    sql`select * from merchants where tenant_id = ${tx.tenant} and origin = ${origin}`,
  );
  return row === undefined ? undefined : merchantOf(row);
}

export async function findOwnMerchantOf(tx: TenantTx, clientId: string): Promise<Merchant | undefined> {
  const row = await tx.maybe<Row>(
    sql`select * from merchants where tenant_id = ${tx.tenant} and client_id = ${clientId}`,
  );
  return row === undefined ? undefined : merchantOf(row);
}

/** The other merchant that has been verified at this origin. */
export async function findHolder(tx: Sql, merchant: Merchant): Promise<Merchant | undefined> {
  const row = await tx.maybe<Row>(sql`
    select * from merchants where origin = ${merchant.origin} and id <> ${merchant.id}
      and verification_status = 'verified'`);
  return row === undefined ? undefined : merchantOf(row);
}

/** Marks that the keys are being fetched; false when that was less than the cooldown ago. */
export async function beginCheck(
  tx: TenantTx,
  id: Id<"merchant">,
  at: { now: Instant; before: Instant },
): Promise<boolean> {
  const written = await tx.run(sql`
    update merchants set checked_at = ${sqlTime(at.now)}::timestamptz
    where id = ${id} and (checked_at is null or checked_at <= ${sqlTime(at.before)}::timestamptz)`);
  return written.count === 1;
}

/** Verified merchants whose keys are to be read again, whoever's: who waits longest comes first. */
export async function findDue(tx: Sql, of: { now: Instant; most: number }): Promise<Merchant[]> {
  const found = await tx.many<Row>(sql`
    select * from merchants where verification_status = 'verified' and coalesce(read_again_at, verified_at) <= ${sqlTime(of.now)}
    order by coalesce(read_again_at, verified_at) limit ${of.most}`);
  return found.map(merchantOf);
}

/** Says when to read again; how often reading has failed in a row, answered. Undefined when another has taken it meanwhile. */
export const takeDue = (
  tx: TenantTx,
  id: Id<"merchant">,
  at: { now: Instant; next: Instant },
): Promise<{ failures: number } | undefined> =>
  tx.maybe<{ failures: number }>(sql`
    update merchants set read_again_at = ${sqlTime(at.next)}
    where id = ${id} and coalesce(read_again_at, verified_at) <= ${sqlTime(at.now)} returning read_failures as failures`);

export const noteReading = (
  tx: TenantTx,
  id: Id<"merchant">,
  of: { failures: number; next: Instant },
): Promise<unknown> =>
  tx.run(sql`
    update merchants set read_failures = ${of.failures}, read_again_at = ${sqlTime(of.next)} where id = ${id}`);

export async function lockMerchant(tx: TenantTx, id: Id<"merchant">): Promise<Merchant> {
  return merchantOf(await tx.one<Row>(sql`select * from merchants where id = ${id} for update`));
}

export async function saveKeys(tx: TenantTx, merchant: Merchant): Promise<void> {
  const { pending } = merchant;
  await tx.run(sql`
    update merchants set
      jwks = ${JSON.stringify(merchant.jwks)}::jsonb,
      jwks_pending = ${pending === undefined ? null : JSON.stringify(pending.jwks)}::jsonb,
      jwks_pending_since = ${pending === undefined ? null : sqlTime(pending.since)}::timestamptz,
      verification_status = ${merchant.verifiedAt === undefined ? "provisional" : "verified"},
      verified_at = ${merchant.verifiedAt === undefined ? null : sqlTime(merchant.verifiedAt)}::timestamptz,
      proven_at = ${merchant.provenAt === undefined ? null : sqlTime(merchant.provenAt)}::timestamptz,
      read_again_at = coalesce(read_again_at, ${sqlTime(merchant.updatedAt)}::timestamptz + interval '5 minutes'),
      updated_at = ${sqlTime(merchant.updatedAt)}::timestamptz
    where id = ${merchant.id}`);
}

export type OwnPage = { readonly limit: number; readonly before: Id<"merchant"> | undefined };

/** A tenant's own, whether proven or not, newest first. */
export async function listOwnMerchants(tx: TenantTx, { limit, before }: OwnPage): Promise<Merchant[]> {
  const found = await tx.many<Row>(sql`select * from merchants
    where tenant_id = ${tx.tenant} and (${before ?? null}::text is null or id < ${before ?? null})
    order by id desc limit ${limit}`);
  return found.map(merchantOf);
}

/** Verified merchants in the order of their ids, after the one named. */
export async function listMerchants(
  tx: Sql,
  filter: MerchantFilter,
  page: { readonly after: string; readonly limit: number },
): Promise<Merchant[]> {
  const rows = await tx.many<Row>(sql`
    select * from merchants
    where verification_status = 'verified' and id > ${page.after}
      and (${filter.clientId ?? null}::text is null or client_id = ${filter.clientId ?? null})
      and (${filter.origin ?? null}::text is null or origin = ${filter.origin ?? null})
      and (${filter.country ?? null}::text is null or country = ${filter.country ?? null})
      and (${filter.currency ?? null}::text is null or ${filter.currency ?? null} = any(currencies))
      and (${filter.rail ?? null}::text is null or ${filter.rail ?? null} = any(rails))
      and (${filter.category ?? null}::text is null or ${filter.category ?? null} = any(categories))
    order by id limit ${page.limit}`);
  return rows.map(merchantOf);
}

const merchantOf = (row: Row): Merchant => ({
  tenant: row.tenant_id,
  id: row.id,
  displayName: row.display_name,
  origin: row.origin,
  clientId: row.client_id,
  jwksUri: row.jwks_uri,
  jwks: row.jwks,
  ...(row.jwks_pending === null || row.jwks_pending_since === null
    ? {}
    : { pending: { jwks: row.jwks_pending, since: row.jwks_pending_since } }),
  ...(row.catalogue_uri === null ? {} : { catalogueUri: row.catalogue_uri }),
  country: row.country,
  currencies: row.currencies,
  categories: row.categories,
  rails: row.rails,
  ...(row.verified_at === null ? {} : { verifiedAt: row.verified_at }),
  ...(row.proven_at === null ? {} : { provenAt: row.proven_at }),
  ...(row.checked_at === null ? {} : { checkedAt: row.checked_at }),
  updatedAt: row.updated_at,
});
