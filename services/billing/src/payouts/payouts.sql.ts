import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { PayoutSeen } from "../stripe/index.ts";
import type { Payout } from "./payouts.ts";

type Row = {
  readonly id: Id<"payout">;
  readonly account_id: Id<"destination">;
  readonly merchant_id: Id<"merchant">;
  readonly reference: string;
  readonly status: Payout["status"];
  readonly amount_minor: bigint;
  readonly currency: string;
  readonly created_at: Instant;
  readonly arrives_at: Instant;
  readonly failure: string | null;
};

const payoutOf = (row: Row): Payout => ({
  id: row.id,
  account: row.account_id,
  merchant: row.merchant_id,
  reference: row.reference,
  status: row.status,
  amount: row.amount_minor,
  currency: row.currency,
  createdAt: row.created_at,
  arrivesAt: row.arrives_at,
  failure: row.failure,
});

export type ToKeep = {
  readonly tenant: Id<"tenant">;
  readonly id: Id<"payout">;
  readonly account: Id<"destination">;
  readonly merchant: Id<"merchant">;
  readonly seen: PayoutSeen;
};

/** Writes a payout as it was read; undefined when nothing of it is new. What has failed stays so: Stripe says it last. */
export async function keepPayout(tx: Sql, { seen, ...of }: ToKeep): Promise<Payout | undefined> {
  const row = await tx.maybe<Row>(sql`
    insert into payouts as p (tenant_id, id, account_id, merchant_id, reference, status, amount_minor, currency, created_at, arrives_at, failure)
    values (${of.tenant}, ${of.id}, ${of.account}, ${of.merchant}, ${seen.reference}, ${seen.status}, ${seen.amount},
      ${seen.currency}, ${sqlTime(seen.createdAt)}, ${sqlTime(seen.arrivesAt)}, ${seen.failure})
    on conflict (reference) do update set status = excluded.status, arrives_at = excluded.arrives_at, failure = excluded.failure
      where p.status not in ('failed', 'canceled')
        and (p.status <> 'paid' or excluded.status = 'failed')
        and (p.status, p.arrives_at) is distinct from (excluded.status, excluded.arrives_at)
    returning *`);
  return row && payoutOf(row);
}

export type Beyond = { readonly createdAt: Instant; readonly id: Id<"payout"> };

/** Newest first, beyond one. */
export const payouts = async (
  tx: Sql,
  of: { merchant: Id<"merchant"> | undefined; beyond: Beyond | undefined; limit: number },
): Promise<Payout[]> =>
  (
    await tx.many<Row>(sql`
      select * from payouts where merchant_id = coalesce(${of.merchant ?? null}::text, merchant_id)
        and (${of.beyond === undefined} or (created_at, id) < (${of.beyond === undefined ? null : sqlTime(of.beyond.createdAt)}::timestamptz, ${of.beyond?.id ?? null}))
      order by created_at desc, id desc limit ${of.limit}`)
  ).map(payoutOf);
