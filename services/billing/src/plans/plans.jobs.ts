import { minuteMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import type { News } from "../stripe/index.ts";
import {
  type CheckoutDeps,
  checkoutOfSession,
  checkoutQueue,
  lookAtCheckout,
  lookAtPlan,
  settleSubscription,
} from "./checkouts.ts";
import { type PlanPaymentDeps, postPlanPayments } from "./plan-payments.ts";
import { lookQueue, paymentsQueue } from "./plans.ts";

const subscriptionQueue = "plans.subscription";
const invoiceQueue = "plans.invoice";
const Visit = z.strictObject({ tenant: idOf("tenant"), checkout: idOf("checkout") });
const Paid = z.strictObject({ tenant: idOf("tenant") });
const Subscription = z.strictObject({ subscription: z.string() });
const Invoice = z.strictObject({ invoice: z.string() });
const Payments = Paid.extend({ subscription: z.string() });

// What is bought must never be forgotten: these jobs do not become dead letters, they are only tried more slowly.
const attemptsMax = 1_000_000;

export const planJobs = (jobs: Jobs, deps: CheckoutDeps, payments: PlanPaymentDeps): Jobs =>
  jobs
    .on(paymentsQueue, {
      attemptsMax,
      handle: async ({ payload }) =>
        (await postPlanPayments(payments, Payments.parse(payload))) ? undefined : { restMs: minuteMs },
    })
    .on(invoiceQueue, {
      attemptsMax,
      handle: async ({ payload }) => {
        const subscription = await payments.atStripe.subscriptionOf(Invoice.parse(payload).invoice);
        if (subscription !== undefined) await settleSubscription(deps, subscription);
      },
    })
    .on(checkoutQueue, {
      attemptsMax,
      handle: async ({ payload }) => {
        const runAt = await lookAtCheckout(deps, Visit.parse(payload));
        return runAt === undefined ? undefined : { runAt };
      },
    })
    .on(lookQueue, {
      attemptsMax,
      handle: async ({ payload }) => {
        const runAt = await lookAtPlan(deps, Paid.parse(payload).tenant);
        return runAt === undefined ? undefined : { runAt };
      },
    })
    .on(subscriptionQueue, {
      attemptsMax,
      handle: async ({ payload }) => settleSubscription(deps, Subscription.parse(payload).subscription),
    });

/**
 * Something happened to a visit or a subscription at Stripe: a job reads what. However often and in whatever order the
 * news comes, what is written is what Stripe says at the end; one job runs for one object at a time.
 */
export async function hintPlan({ db }: CheckoutDeps, { type, object }: News): Promise<void> {
  if (type.startsWith("invoice.")) {
    const job = { queue: invoiceQueue, key: object, payload: { invoice: object } };
    return db.global.transaction((tx) => enqueue(tx, job));
  }
  if (!type.startsWith("checkout.session.")) {
    const job = { queue: subscriptionQueue, key: object, payload: { subscription: object } };
    return db.global.transaction((tx) => enqueue(tx, job));
  }
  const visit = await checkoutOfSession({ db }, object);
  if (visit === undefined) return;
  await db
    .of(visit.tenant)
    .transaction((tx) => enqueue(tx, { queue: checkoutQueue, key: visit.checkout, payload: visit }));
}
