import { fromNumericDate, type Instant, invariant, type Money, money, toNumericDate } from "@remit/kernel";
import { fromStripe } from "@remit/rails/card";
import type Stripe from "stripe";
import { unavailable } from "./failures.ts";

/** One movement of our balance, as Stripe has booked it. Negative is out of it. */
export type Movement = {
  readonly id: string;
  readonly type: string;
  readonly amount: Money;
  readonly fee: Money;
  readonly at: Instant;
};

/** What Stripe booked from one moment to another, page by page. Throws `unavailable`. */
export async function* movementsOf(
  stripe: Stripe,
  { from, until }: { readonly from: Instant; readonly until: Instant },
): AsyncGenerator<Movement> {
  const created = { gte: toNumericDate(from), lt: toNumericDate(until) };
  try {
    for await (const booked of stripe.balanceTransactions.list({ created, limit: 100 }))
      yield movementOf(booked);
  } catch (cause) {
    throw unavailable(cause);
  }
}

export function movementOf({
  id,
  type,
  amount,
  fee,
  currency,
  created,
}: Stripe.BalanceTransaction): Movement {
  const moved = fromStripe(Math.abs(amount), currency);
  const kept = fromStripe(fee, currency);
  invariant(moved !== undefined && kept !== undefined, "Stripe books in currencies we know");
  const signed = money(moved.asset, amount < 0 ? -moved.units : moved.units);
  return { id, type, amount: signed, fee: kept, at: fromNumericDate(created) };
}
