import { dayMs, type Instant, invariant, money } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import type { TenantTx } from "@remit/platform/sql";
import {
  bookingEntry,
  type Entry,
  entryNamed,
  type Paid,
  post,
  refundFailedEntry,
  takenBackEntry,
  transferredEntry,
} from "../ledger/index.ts";
import type { RefundSeen } from "../stripe/index.ts";
import { type Cause, wish } from "../transfers/index.ts";
import * as failing from "./failed-refunds.sql.ts";
import { eventOf, type SettlingDeps } from "./journal.ts";
import type { Payment, Refund } from "./payment.ts";
import * as rows from "./payments.sql.ts";
import { findBehind } from "./payments.ts";

export type RefundWatch = Pick<SettlingDeps, "db" | "clock" | "log"> & {
  /** A refund as Stripe has it now. */
  readonly refundAt: (reference: string) => Promise<RefundSeen>;
  /** Opens a case about it, once. */
  readonly openCase: (of: { readonly reference: string; readonly refund: Refund }) => Promise<void>;
};

/** What Stripe has not booked so long after it failed, it never will: the money had not left our balance. */
const bookedWithinMs = dayMs;

/**
 * Looks at a refund of Stripe's, which may have failed after it was made. What it moved is taken back in the books, with the row and
 * the event in one transaction; then a case is opened, since the payer has not got the money. Where the payment went on to the
 * merchant's account, what had come back from there goes on again. Every step is there once, whoever looks again. False as long
 * as there is more to come: the refund is still being written down, or what put the money back is not booked.
 */
export async function lookAtRefund(deps: RefundWatch, reference: string): Promise<boolean> {
  const seen = await deps.refundAt(reference);
  const found = await refundBehind(deps, seen);
  if (found === undefined) {
    if (seen.failed !== undefined)
      deps.log.warn({ reference }, "a refund that none of ours has asked for has failed");
    return true;
  }
  if (found.refund.state === "refused") return giveOnAgain(deps, { reference, ...found, seen });
  if (found.refund.state === "refunding") return seen.failed === undefined;
  const { failed, takenBack } = seen;
  const isOver =
    failed === undefined || (await fail(deps, { reference, ...found, seen: { ...failed, takenBack } }));
  await settleWithMerchant(deps, { reference, ...found, seen });
  return isOver;
}

type Looked = Found & { readonly reference: string; readonly seen: RefundSeen };
type Found = { readonly payment: Payment; readonly refund: Refund };

async function refundBehind(deps: RefundWatch, seen: RefundSeen): Promise<Found | undefined> {
  const payment = seen.payment === undefined ? undefined : await findBehind(deps, seen.payment);
  const id = seen.refund;
  if (payment === undefined || id === undefined) return undefined;
  const refund = await deps.db.of(payment.tenant).transaction((tx) => rows.refundById(tx, payment, id));
  return refund && { payment, refund };
}

/**
 * One that was refused has given the payer nothing and is in no books, but for what it had taken back from the merchant's account:
 * that is posted and goes on there again. True once all of it is booked.
 */
async function giveOnAgain(deps: RefundWatch, of: Looked): Promise<boolean> {
  const { payment, refund, seen } = of;
  const { charge, payee, merchant, tenant } = payment;
  if (seen.takenBack === undefined || seen.failed === undefined || !refund.takesBack) return true;
  const paid = { charge, owner: { tenant: payee, merchant }, at: deps.clock.now() };
  const back = takenBackEntry({ ...paid, refund: refund.id, refunded: refund.amount });
  await deps.db
    .of(tenant)
    .transaction((tx) => post(tx, [back, ...takenBackBookings(paid, { refund, takenBack: seen.takenBack })]));
  await failpoint("refund.takenback");
  await settleWithMerchant(deps, of);
  return seen.takenBack.booking !== undefined;
}

/** What Stripe has booked of taking back, which came although the refund itself never was. */
function takenBackBookings(
  paid: { readonly charge: Payment["charge"]; readonly at: Instant },
  { refund, takenBack }: Pick<Looked, "refund"> & Pick<RefundSeen, "takenBack">,
): Entry[] {
  if (!refund.takesBack || takenBack?.booking === undefined) return [];
  const { booking } = takenBack;
  return [
    bookingEntry(paid, {
      ...booking,
      nominal: refund.amount,
      direction: "into",
      clears: "transfer_clearing",
    }),
  ];
}

/** True once all of it is booked. */
async function fail(
  deps: RefundWatch,
  { reference, payment, refund, seen }: Found & { readonly reference: string; readonly seen: Failure },
): Promise<boolean> {
  await failpoint("refund.failing");
  const now = deps.clock.now();
  const since = await deps.db
    .of(payment.tenant)
    .transaction((tx) => takeBack(tx, payment, { refund, now, seen }));
  await failpoint("refund.failed");
  await deps.openCase({ reference, refund });
  return seen.booking !== undefined || now - since > bookedWithinMs;
}

/** What should have come back from the merchant's account: the refund, unless it failed. What Stripe took back itself, it has. */
async function settleWithMerchant(
  deps: RefundWatch,
  { reference, payment, refund, seen }: Looked,
): Promise<void> {
  const { id, charge, payee: tenant, merchant, destination, reference: paymentReference } = payment;
  if (destination === null || paymentReference === null) return;
  const nothing = money(refund.amount.asset, 0n);
  const wished = {
    wanted: seen.failed === undefined ? refund.amount : nothing,
    // By Stripe's word: what never came must not go on.
    already: refund.takesBack && seen.takenBack !== undefined ? refund.amount : nothing,
  };
  const owner = { tenant, merchant };
  const about = { about: refund.id, aboutReference: reference };
  const cause: Cause = { ...about, payment: id, paymentReference, destination, charge, owner };
  const now = deps.clock.now();
  await deps.db.of(tenant).transaction((tx) => wish(tx, cause, { wished, now }));
}

/** Of what was posted as taken back with the refund, and never was: by Stripe's word there was nothing to take. */
async function notTakenBack(
  tx: TenantTx,
  paid: Paid,
  { refund, takenBack }: Pick<Looked, "refund"> & Pick<RefundSeen, "takenBack">,
): Promise<Entry[]> {
  if (!refund.takesBack || takenBack !== undefined) return [];
  const posted = await entryNamed(tx, { object: refund.id, transition: "taken_back" });
  if (posted === undefined) return [];
  const on = transferredEntry(paid, { transfer: refund.id, way: "on", amount: refund.amount });
  return [{ ...on, reverses: posted }];
}

type Failure = NonNullable<RefundSeen["failed"]> & Pick<RefundSeen, "takenBack">;
type Failing = { readonly refund: Refund; readonly now: Instant; readonly seen: Failure };

async function takeBack(
  tx: TenantTx,
  payment: Payment,
  { refund, now, seen: { because, booking, takenBack } }: Failing,
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
  const back = { nominal: refund.amount, direction: "into", clears: "card_clearing" } as const;
  await post(tx, [
    refundFailedEntry({ ...paid, refund: refund.id, refunded: refund.amount }, made),
    ...(booking === undefined ? [] : [bookingEntry(paid, { ...booking, ...back })]),
    ...(await notTakenBack(tx, paid, { refund, takenBack })),
    ...takenBackBookings(paid, { refund, takenBack }),
  ]);
  return since;
}
