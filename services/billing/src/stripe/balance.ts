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

/** One in money that we keep no books in: a currency we do not know, or a fraction of what we count its units in. */
export type StrangeMovement = {
  readonly id: string;
  readonly type: string;
  readonly currency: string;
  readonly at: Instant;
};

/** What Stripe booked from one moment to another, page by page. Throws `unavailable`. */
export async function* movementsOf(
  stripe: Stripe,
  { from, until }: { readonly from: Instant; readonly until: Instant },
): AsyncGenerator<Movement | StrangeMovement> {
  const created = { gte: toNumericDate(from), lt: toNumericDate(until) };
  try {
    for await (const booked of stripe.balanceTransactions.list({ created, limit: 100 }))
      yield anyMovementOf(booked);
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** One that belongs to a payment of ours: its money is money we know. */
export function movementOf(booked: Stripe.BalanceTransaction): Movement {
  const movement = anyMovementOf(booked);
  invariant(!("currency" in movement), "Stripe books what is ours in currencies we know");
  return movement;
}

function anyMovementOf({
  id,
  type,
  amount,
  fee,
  currency,
  created,
}: Stripe.BalanceTransaction): Movement | StrangeMovement {
  const at = fromNumericDate(created);
  const moved = fromStripe(Math.abs(amount), currency);
  const kept = fromStripe(fee, currency);
  if (moved === undefined || kept === undefined) return { id, type, currency: currency.toUpperCase(), at };
  const signed = money(moved.asset, amount < 0 ? -moved.units : moved.units);
  return { id, type, amount: signed, fee: kept, at };
}
