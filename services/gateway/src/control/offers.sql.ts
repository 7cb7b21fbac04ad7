import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Spec } from "./spec.ts";

export type OfferRow = {
  readonly tenant_id: Id<"tenant">;
  readonly id: Id<"offer">;
  readonly name: string;
  readonly merchant_id: Id<"merchant">;
  readonly source: "api" | "kubernetes";
  readonly spec: Spec;
  readonly drained_at: Instant | null;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

/** All that is for sale, of every tenant; older ones first, so that a later one is in the way of none. */
export const readOffers = (tx: RelayTx): Promise<OfferRow[]> =>
  tx.many<OfferRow>(sql`select * from offers order by created_at, id`);

/** Those who change one tenant's offers wait for each other: what fits together is decided by one at a time. */
export const lockOffers = (tx: TenantTx): Promise<unknown> =>
  tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`offers ${tx.tenant}`}, 0))`);

export const countOffers = async (tx: TenantTx): Promise<number> =>
  Number((await tx.one<{ n: bigint }>(sql`select count(*) as n from offers`)).n);

/** Oldest first. */
export const offersOfMerchant = (tx: TenantTx, merchant: Id<"merchant">): Promise<OfferRow[]> =>
  tx.many<OfferRow>(sql`select * from offers where merchant_id = ${merchant} order by created_at, id`);

export const findOffer = (tx: TenantTx, id: Id<"offer">): Promise<OfferRow | undefined> =>
  tx.maybe<OfferRow>(sql`select * from offers where id = ${id}`);

export const listOffers = (
  tx: TenantTx,
  page: { readonly before: string; readonly limit: number; readonly name: string | undefined },
): Promise<OfferRow[]> =>
  tx.many<OfferRow>(sql`select * from offers
    where (${page.before} = '' or id < ${page.before}) and (${page.name ?? null}::text is null or name = ${page.name ?? null})
    order by id desc limit ${page.limit}`);

/** False when the merchant has an offer of this name. */
export async function insertOffer(tx: TenantTx, row: OfferRow): Promise<boolean> {
  const { count } = await tx.run(sql`insert into offers
      (tenant_id, id, name, merchant_id, source, spec, created_at, updated_at)
    values (${tx.tenant}, ${row.id}, ${row.name}, ${row.merchant_id}, ${row.source}, ${JSON.stringify(row.spec)}::jsonb,
      ${sqlTime(row.created_at)}::timestamptz, ${sqlTime(row.updated_at)}::timestamptz)
    on conflict on constraint offers_name do nothing`);
  return count === 1;
}

/** Sold anew, also when it had been drained. */
export const saveSpec = (
  tx: TenantTx,
  id: Id<"offer">,
  { spec, now }: { readonly spec: Spec; readonly now: Instant },
): Promise<unknown> =>
  tx.run(sql`update offers set spec = ${JSON.stringify(spec)}::jsonb, drained_at = null,
    updated_at = ${sqlTime(now)}::timestamptz where id = ${id}`);

/** An end that is set already is only ever brought forward. */
export const saveDrain = (
  tx: TenantTx,
  id: Id<"offer">,
  { at, now }: { readonly at: Instant; readonly now: Instant },
): Promise<unknown> =>
  tx.run(sql`update offers set drained_at = least(drained_at, ${sqlTime(at)}::timestamptz),
    updated_at = ${sqlTime(now)}::timestamptz where id = ${id}`);

export const deleteOffer = async (tx: TenantTx, id: Id<"offer">): Promise<boolean> =>
  (await tx.run(sql`delete from offers where id = ${id}`)).count === 1;

export type SoldRow = {
  readonly currency: string;
  readonly payments: bigint;
  readonly amount_minor: bigint;
  readonly refunded_minor: bigint;
};

export const salesOf = (tx: TenantTx, routes: readonly string[]): Promise<SoldRow[]> =>
  tx.many<SoldRow>(sql`select currency, sum(payments)::bigint as payments, sum(amount_minor)::bigint as amount_minor,
      sum(refunded_minor)::bigint as refunded_minor
    from sales where tenant_id = ${tx.tenant} and route_id = any(${[...routes]}::text[]) group by currency order by currency`);

export type LatestRow = {
  readonly id: Id<"claim">;
  readonly route_id: string;
  readonly updated_at: Instant;
  readonly amount_minor: bigint;
  readonly refunded_minor: bigint;
  readonly currency: string;
  readonly payer: string;
};

export const latestSales = (tx: TenantTx, routes: readonly string[], limit: number): Promise<LatestRow[]> =>
  tx.many<LatestRow>(sql`select c.id, c.route_id, c.updated_at, coalesce(c.captured_minor, c.amount_minor) as amount_minor,
      coalesce((select sum(amount_minor) from refunds
        where tenant_id = c.tenant_id and claim_id = c.id and state = 'refunded'), 0)::bigint as refunded_minor, c.currency, c.payer
    from unnest(${[...routes]}::text[]) as r(id), lateral (
      select * from claims where tenant_id = ${tx.tenant} and route_id = r.id and state = 'captured'
      order by updated_at desc limit ${limit}) c
    order by c.updated_at desc limit ${limit}`);
