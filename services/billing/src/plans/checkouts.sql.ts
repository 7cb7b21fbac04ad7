import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Checkout, CheckoutState, SellableTier } from "./checkouts.ts";

type Row = {
  readonly id: Id<"checkout">;
  readonly tier: SellableTier;
  readonly success_url: string;
  readonly cancel_url: string;
  readonly state: CheckoutState;
  readonly session: string | null;
  readonly url: string | null;
  readonly created_at: Instant;
};

const checkoutOf = (row: Row): Checkout => ({
  id: row.id,
  tier: row.tier,
  successUrl: row.success_url,
  cancelUrl: row.cancel_url,
  state: row.state,
  session: row.session ?? undefined,
  url: row.url ?? undefined,
  createdAt: row.created_at,
});

/** The one that runs: this one, or another that was there before. */
export async function beginCheckout(
  tx: Sql,
  {
    tenant,
    wanted,
    now,
  }: { readonly tenant: Id<"tenant">; readonly wanted: Checkout; readonly now: Instant },
): Promise<Checkout> {
  await tx.run(sql`
    insert into checkouts (tenant_id, id, tier, success_url, cancel_url, state, created_at)
    values (${tenant}, ${wanted.id}, ${wanted.tier}, ${wanted.successUrl}, ${wanted.cancelUrl}, 'opening', ${sqlTime(now)})
    on conflict (tenant_id) where state in ('opening', 'open') do nothing`);
  return checkoutOf(await tx.one<Row>(sql`select * from checkouts where state in ('opening', 'open')`));
}

export async function findCheckout(tx: Sql, id: Id<"checkout">): Promise<Checkout | undefined> {
  const row = await tx.maybe<Row>(sql`select * from checkouts where id = ${id}`);
  return row && checkoutOf(row);
}

export async function findRunning(tx: Sql): Promise<Checkout | undefined> {
  const row = await tx.maybe<Row>(sql`select * from checkouts where state in ('opening', 'open')`);
  return row && checkoutOf(row);
}

export async function findBySession(tx: Sql, session: string): Promise<Checkout | undefined> {
  const row = await tx.maybe<Row>(sql`select * from checkouts where session = ${session}`);
  return row && checkoutOf(row);
}

/** False when the visit was ended meanwhile, or has another session: nobody is to pay at this one. */
export async function keepSession(
  tx: Sql,
  { id, session, url }: { readonly id: Id<"checkout">; readonly session: string; readonly url: string },
): Promise<boolean> {
  const { count } = await tx.run(sql`
    update checkouts set state = 'open', session = ${session}, url = ${url}
    where id = ${id} and (state = 'opening' or (state = 'open' and session = ${session}))`);
  return count === 1;
}

/** Ends a visit that has no session; false when it has one by now, or is over. */
export async function abandonCheckout(
  tx: Sql,
  { id, now }: { readonly id: Id<"checkout">; readonly now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`
    update checkouts set state = 'expired', ended_at = ${sqlTime(now)} where id = ${id} and state = 'opening'`);
  return count === 1;
}

export async function endCheckout(
  tx: Sql,
  { id, state, now }: { readonly id: Id<"checkout">; readonly state: CheckoutState; readonly now: Instant },
): Promise<void> {
  await tx.run(sql`
    update checkouts set state = ${state}, ended_at = ${sqlTime(now)} where id = ${id} and state in ('opening', 'open')`);
}

export const tenantOfSession = async (db: Sql, session: string): Promise<Id<"tenant"> | null> =>
  (
    await db.one<{ tenant: Id<"tenant"> | null }>(
      sql`select tenant_of_checkout_session(${session}) as tenant`,
    )
  ).tenant;
