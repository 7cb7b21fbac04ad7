import { placesOf } from "./amounts.ts";
import type { BalanceTransaction, Settling } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

export type BookedFee = { readonly amount: number; readonly type: "application_fee" | "stripe_fee" };

export type Booking = {
  /** Positive when it comes in; before it is converted to the currency of the balance. */
  readonly amount: number;
  readonly currency: string;
  readonly type: BalanceTransaction["type"];
  /** What reports call it; its type unless given. */
  readonly category?: string;
  /** What it is booked for. */
  readonly source: string;
  /** In the currency of the balance. */
  readonly fees?: readonly BookedFee[];
  /** On whose balance: a connected account's, the platform's (null), or that of the request (absent). */
  readonly account?: string | null;
};

const descriptions = { application_fee: "Application fee", stripe_fee: "Stripe processing fees" } as const;

export type Settled = {
  readonly amount: number;
  readonly currency: string;
  readonly exchange_rate: number | null;
};

/**
 * What an amount is on the platform's own balance: Stripe converts what comes in a currency for which there is no balance, at the
 * rate of the moment, to whole minor units (a half away from nothing). A rate is between main units, as in 10.00 EUR × 1.234.
 */
export function settled(
  draft: Draft,
  { amount, currency, account = draft.account }: Pick<Booking, "account" | "amount" | "currency">,
): Settled {
  const to = account === null ? find(draft, "_settling", settlingId) : undefined;
  const rate = to?.rates[currency];
  if (to === undefined || rate === undefined) return { amount, currency, exchange_rate: null };
  const scaled = Math.abs(amount) * rate * 10 ** (placesOf(to.currency) - placesOf(currency));
  return {
    amount: Math.sign(amount) * Math.round(scaled),
    currency: to.currency,
    exchange_rate: rate,
  };
}

const settlingId = "settling";

/** From now on the platform's balance is in one currency, and what comes in these others is converted. */
export function settleIn(draft: Draft, { currency, rates }: Pick<Settling, "currency" | "rates">): Settling {
  const settling: Settling = {
    id: settlingId,
    object: "_settling",
    created: draft.now,
    livemode: false,
    currency,
    rates,
    _account: null,
  };
  draft.put(settling);
  return settling;
}

/** Books a movement on a balance. */
export function book(
  draft: Draft,
  { type, category, source, fees = [], account, ...moved }: Booking,
): BalanceTransaction {
  const { amount, currency, exchange_rate } = settled(draft, {
    ...moved,
    ...(account === undefined ? {} : { account }),
  });
  const fee = fees.reduce((sum, one) => sum + one.amount, 0);
  const booked: BalanceTransaction = {
    id: stripeId("txn"),
    object: "balance_transaction",
    created: draft.now,
    livemode: false,
    amount,
    available_on: draft.now + 2 * 86_400,
    currency,
    exchange_rate,
    fee,
    fee_details: fees
      .filter((one) => one.amount > 0)
      .map((one) => ({ ...one, currency, description: descriptions[one.type] })),
    net: amount - fee,
    reporting_category: category ?? type,
    source,
    status: "pending",
    type,
    ...(account === undefined ? {} : { _account: account }),
  };
  draft.put(booked);
  return booked;
}
