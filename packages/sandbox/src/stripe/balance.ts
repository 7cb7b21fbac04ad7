import type { BalanceTransaction } from "./resources.ts";
import { type Draft, stripeId } from "./store.ts";

export type BookedFee = { readonly amount: number; readonly type: "application_fee" | "stripe_fee" };

export type Booking = {
  /** Positive when it comes in. */
  readonly amount: number;
  readonly currency: string;
  readonly type: BalanceTransaction["type"];
  /** What reports call it; its type unless given. */
  readonly category?: string;
  /** What it is booked for. */
  readonly source: string;
  readonly fees?: readonly BookedFee[];
  /** On whose balance: a connected account's, the platform's (null), or that of the request (absent). */
  readonly account?: string | null;
};

const descriptions = { application_fee: "Application fee", stripe_fee: "Stripe processing fees" } as const;

/** Books a movement on a balance. */
export function book(
  draft: Draft,
  { amount, currency, type, category, source, fees = [], account }: Booking,
): BalanceTransaction {
  const fee = fees.reduce((sum, one) => sum + one.amount, 0);
  const booked: BalanceTransaction = {
    id: stripeId("txn"),
    object: "balance_transaction",
    created: draft.now,
    livemode: false,
    amount,
    available_on: draft.now + 2 * 86_400,
    currency,
    exchange_rate: null,
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
