import { type Money, money } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import { fromStripe } from "@remit/rails/card";
import Stripe from "stripe";
import { movementOf } from "./balance.ts";
import { unavailable } from "./failures.ts";

/** An invoice of Stripe's that a customer has paid for a period of its plan, by these payments. */
export type PlanInvoice = {
  readonly reference: string;
  readonly subscription: string;
  /** What was bought, as the subscription said when it was asked for. */
  readonly tier: string | undefined;
  readonly intents: readonly string[];
};

/** All that a subscription was paid with, the newest first. Throws `unavailable`. */
export async function* planInvoicesOf(stripe: Stripe, subscription: string): AsyncGenerator<PlanInvoice> {
  try {
    const pages = stripe.invoices.list({
      subscription,
      status: "paid",
      limit: 100,
      expand: ["data.payments"],
    });
    for await (const invoice of pages) {
      const intents = (invoice.payments?.data ?? []).flatMap(({ status, payment }) =>
        status === "paid" && payment.type === "payment_intent" ? idIn(payment.payment_intent) : [],
      );
      const tier = invoice.parent?.subscription_details?.metadata?.["tier"];
      if (intents.length > 0) yield { reference: invoice.id, subscription, tier, intents };
    }
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** The subscription of an invoice; undefined for one that is of none. Throws `unavailable`. */
export async function subscriptionOfInvoice(stripe: Stripe, id: string): Promise<string | undefined> {
  try {
    const { parent } = await stripe.invoices.retrieve(id);
    return idIn(parent?.subscription_details?.subscription)[0];
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode === 404)
      return undefined;
    throw unavailable(error);
  }
}

/** What a payment took, and what Stripe has booked of it on our balance; undefined while it has not. Throws `unavailable`. */
export async function bookedOf(
  stripe: Stripe,
  intent: string,
): Promise<{ readonly paid: Money; readonly booking: Booking } | undefined> {
  try {
    const expand = ["latest_charge.balance_transaction"];
    const found = await stripe.paymentIntents.retrieve(intent, { expand });
    const { latest_charge: charge, amount_received: received, currency } = found;
    const booked = typeof charge === "object" ? charge?.balance_transaction : undefined;
    const paid = fromStripe(received, currency);
    if (typeof booked !== "object" || booked === null || paid === undefined) return undefined;
    return { paid, booking: bookingOf(booked) };
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** A payout of our own balance: both its movements, as far as Stripe has booked them. */
export type OwnPayoutSeen = {
  readonly booking: Booking;
  /** Else it is from our bank: Stripe debits it while our balance is below zero. */
  readonly toBank: boolean;
  readonly arrived: boolean;
  readonly back: Booking | undefined;
};

/** The payouts of our own balance since a moment, in money that we keep books in. Throws `unavailable`. */
export async function* ownPayoutsOf(stripe: Stripe, sinceS: number): AsyncGenerator<OwnPayoutSeen> {
  try {
    const pages = stripe.payouts.list({
      created: { gte: sinceS },
      limit: 100,
      expand: ["data.balance_transaction", "data.failure_balance_transaction"],
    });
    for await (const { status, currency, ...payout } of pages) {
      const { balance_transaction: out, failure_balance_transaction: back } = payout;
      if (typeof out !== "object" || out === null || fromStripe(0, currency) === undefined) continue;
      yield {
        booking: bookingOf(out),
        toBank: out.amount <= 0,
        arrived: status === "paid",
        back: typeof back === "object" && back !== null ? bookingOf(back) : undefined,
      };
    }
  } catch (cause) {
    throw unavailable(cause);
  }
}

function bookingOf(transaction: Stripe.BalanceTransaction): Booking {
  const { id, amount, fee } = movementOf(transaction);
  return { id, amount: positive(amount), fee };
}

const positive = ({ asset, units }: Money): Money => money(asset, units < 0n ? -units : units);

const idIn = (value: string | { readonly id: string } | null | undefined): string[] =>
  value === null || value === undefined ? [] : [typeof value === "string" ? value : value.id];
