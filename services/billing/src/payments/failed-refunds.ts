import { dayMs, type Instant, invariant } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import { bookingEntry, entryNamed, post, refundFailedEntry } from "../ledger/index.ts";
import type { RefundSeen } from "../stripe/index.ts";
import * as failing from "./failed-refunds.sql.ts";
import { eventOf, type SettlingDeps } from "./journal.ts";
import type { Payment, Refund } from "./payment.ts";
import * as rows from "./payments.sql.ts";
import { findBehind } from "./payments.ts";

export type RefundWatch = SettlingDeps & {
  /** A refund as Stripe has it now. */
  readonly refundAt: (reference: string) => Promise<RefundSeen>;
  /** Opens a case about it, once. */
  readonly openCase: (of: { readonly reference: string; readonly refund: Refund }) => Promise<void>;
};

/** What Stripe has not booked so long after it failed, it never will: the money had not left our balance. */
const bookedWithinMs = dayMs;

/**
 * Looks at a refund of Stripe's that may have failed after it was made. What it moved is taken back in the books, with the row and
 * the event in one transaction; then a case is opened, since the payer has not got the money. Every step is there once,
 * whoever looks again. False as long as there is more to come: the refund is still being written down, or what put the money
 * back is not booked.
 */
export async function lookAtRefund(deps: RefundWatch, reference: string): Promise<boolean> {
  const seen = await deps.refundAt(reference);
  if (seen.failed === undefined) return true;
  const payment = seen.payment === undefined ? undefined : await findBehind(deps, seen.payment);
  const id = seen.refund;
  if (payment === undefined || id === undefined) {
    deps.log.warn({ reference }, "a refund that none of ours has asked for has failed");
    return true;
  }
  const tenant = deps.db.of(payment.tenant);
  const refund = await tenant.transaction((tx) => rows.refundById(tx, payment, id));
  // One that was refused is in no books.
  if (refund === undefined || refund.state === "refused") return true;
  if (refund.state === "refunding") return false;
  await failpoint("refund.failing");
  const now = deps.clock.now();
  const of = { refund, because: seen.failed.because, now };
  const since = await tenant.transaction((tx) => takeBack(tx, payment, { ...of, seen }));
  await failpoint("refund.failed");
  await deps.openCase({ reference, refund });
  return seen.failed.booking !== undefined || now - since > bookedWithinMs;
}

type Failing = {
  readonly refund: Refund;
  readonly because: string;
  readonly now: Instant;
  readonly seen: RefundSeen;
};

async function takeBack(
  tx: TenantTx,
  payment: Payment,
  { refund, because, now, seen }: Failing,
): Promise<Instant> {
  const { charge, payee, merchant } = payment;
  const { since, isNew } = await failing.failRefund(tx, payment, { refund, because, now });
  if (isNew) {
    const { asset, units } = refund.amount;
    const payload = { charge, refund: refund.id, amount_minor: Number(units), currency: asset.code, because };
    await tx.record(eventOf("payment.refund_failed", payment, { now, payload }));
    await tx.record(eventOf("ledger.posted", payment, { now, payload: { charge, refund: refund.id } }));
  }
  const made = await entryNamed(tx, { object: refund.id, transition: "refunded" });
  invariant(made !== undefined, "a refund that was made is in the books");
  const paid = { charge, owner: { tenant: payee, merchant }, at: now };
  const booking = seen.failed?.booking;
  await post(tx, [
    refundFailedEntry({ ...paid, refund: refund.id, refunded: refund.amount }, made),
    ...(booking === undefined
      ? []
      : [bookingEntry(paid, { ...booking, direction: "into", clears: "card_clearing" })]),
  ]);
  return since;
}
