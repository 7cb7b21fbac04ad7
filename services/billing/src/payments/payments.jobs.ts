import { after, dayMs, hourMs, type Id, minuteMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import { claimFirstUse } from "@remit/platform/once";
import type { Tx } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import { lookAtRefund, type RefundWatch } from "./failed-refunds.ts";
import { bookQueue, lookAtRefundSoon, refundsQueue, type SettlingDeps, settleQueue } from "./journal.ts";
import { isOpen, isResting, type Payment } from "./payment.ts";
import { bookOne, findBehind, lookAfter, paymentsOf, refundsOf } from "./payments.ts";

const hintQueue = "payments.hint";
const Due = z.strictObject({ tenant: idOf("tenant"), payment: idOf("payment") });
const DueBooking = Due.extend({ refund: idOf("refund").optional() });

const DueRefund = z.strictObject({ reference: z.string().max(255) });

// A payment that is open must never be forgotten: its job does not become a dead letter, it is only tried more slowly.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(hourMs, 1000 * 2 ** Math.min(attempt, 12));

/** Every open payment has a job that comes back at the end of its lease: that is the recovery after any crash. */
export const paymentJobs = (jobs: Jobs, deps: SettlingDeps & RefundWatch): Jobs =>
  jobs
    .on(settleQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const payment = await lookAfter(deps, Due.parse(payload));
        return isOpen(payment) ? { runAt: payment.leasedUntil } : undefined;
      },
    })
    .on(bookQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) =>
        (await bookOne(deps, DueBooking.parse(payload))) ? undefined : { restMs: minuteMs },
    })
    .on(refundsQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) =>
        (await lookAtRefund(deps, DueRefund.parse(payload).reference)) ? undefined : { restMs: minuteMs },
    })
    // What somebody else did at the provider is heard of once: the look must outlast a provider that is away.
    .on(hintQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        await lookAfter(deps, Due.parse(payload));
      },
    });

// The provider sends an event again for three days.
const rememberedMs = 7 * dayMs;
// All else that it reports are answers to our own calls, which have been read already or will be when a lease ends.
const telling = new Set([
  "payment_intent.amount_capturable_updated",
  "payment_intent.canceled",
  "payment_intent.succeeded",
]);

/**
 * What a provider reports is a hint: a job reads for itself. It matters for a payment that nobody is busy with, because
 * its hold ran out, its holder confirmed it, or somebody took the money by another way. Most events stop here without a write.
 */
export async function hintPayment(deps: SettlingDeps, { event, type, object }: News): Promise<void> {
  if (!telling.has(type)) return;
  const found = await findBehind(deps, object);
  if (found === undefined || !isResting(found)) return;
  await deps.db.of(found.tenant).transaction(async (tx) => {
    if (await claimFirstUse(tx, `stripe-event:${event}`, after(deps.clock.now(), rememberedMs)))
      await lookSoon(tx, found);
  });
}

const lookSoon = (tx: Tx, { tenant, id: payment }: Payment): Promise<void> =>
  enqueue(tx, { queue: hintQueue, key: payment, payload: { tenant, payment } });

/**
 * How jobs are had look when something is said of a charge: at each of its payments that is not over, and at each refund that
 * Stripe has made. Undefined when the charge is none of ours.
 */
export async function looksAtCharge(
  deps: SettlingDeps,
  charge: Id<"charge">,
): Promise<readonly ((tx: Tx) => Promise<void>)[] | undefined> {
  const payments = await paymentsOf(deps, charge);
  if (payments.length === 0) return undefined;
  const refunds = await Promise.all(payments.map((payment) => refundsOf(deps, payment)));
  return [
    ...payments
      .filter((payment) => isOpen(payment) || isResting(payment))
      .map((payment) => (tx: Tx) => lookSoon(tx, payment)),
    ...refunds.flat().flatMap(({ reference, transaction }) =>
      // What a seller gave back over a chain is a transfer there, and none of Stripe's.
      reference === null || transaction !== null ? [] : [(tx: Tx) => lookAtRefundSoon(tx, reference)],
    ),
  ];
}

/** Something happened to a refund at Stripe: a job reads what. */
export const hintRefund = ({ db }: Pick<SettlingDeps, "db">, { object }: News): Promise<void> =>
  db.global.transaction((tx) => lookAtRefundSoon(tx, object));
