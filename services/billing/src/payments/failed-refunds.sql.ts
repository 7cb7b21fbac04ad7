import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Payment, Refund } from "./payment.ts";

/**
 * Ends a refund that was made and came back: once, and the payment counts it no more. Since when it has failed, and whether
 * this call has written so.
 */
export async function failRefund(
  tx: Sql,
  payment: Payment,
  { refund, because, now }: { readonly refund: Refund; readonly because: string; readonly now: Instant },
): Promise<{ readonly since: Instant; readonly isNew: boolean }> {
  const ended = await tx.run(sql`
    update refunds set state = 'failed', failed_because = ${because}, failed_at = ${sqlTime(now)}
    where id = ${refund.id} and payment_id = ${payment.id} and state = 'refunded'`);
  if (ended.count === 0) {
    const { since } = await tx.one<{ since: Instant }>(
      sql`select failed_at as since from refunds where id = ${refund.id} and state = 'failed'`,
    );
    return { since, isNew: false };
  }
  // Another refund may be running: its step, attempt and lease are its own.
  await tx.run(sql`
    update payments set refunded_minor = refunded_minor - ${refund.amount.units},
      state = case state when 'refunded' then 'captured' else state end,
      state_since = case state when 'refunded' then ${sqlTime(now)} else state_since end
    where id = ${payment.id}`);
  return { since: now, isNew: true };
}
