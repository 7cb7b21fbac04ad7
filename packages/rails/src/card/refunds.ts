import type Stripe from "stripe";
import type { RefundOrder, RefundStanding } from "../engine.ts";
import { type StripeAmount, toStripe } from "./amounts.ts";
import { callOptions, givenBack } from "./connect.ts";
import { type Failure, failureOf } from "./failures.ts";
import { type CardDeps, optionsOf, replayMsMax } from "./intents.ts";
import { bookingOf, moneyOf } from "./standings.ts";

const expandBooking = ["balance_transaction", "transfer_reversal.balance_transaction"];

export async function refund(deps: CardDeps, order: RefundOrder): Promise<RefundStanding> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  // Unlike a capture, a second refund would be obeyed once its key is forgotten: only what is not there is asked for.
  if (order.recovered || deps.clock.now() - order.startedAt > replayMsMax) {
    const found = await findRefund(deps, order);
    if (found.kind !== "absent") return found;
  }
  return makeRefund(deps, order, price);
}

async function makeRefund(deps: CardDeps, order: RefundOrder, price: StripeAmount): Promise<RefundStanding> {
  try {
    const made = await deps.stripe.refunds.create(
      {
        payment_intent: order.reference,
        amount: price.amount,
        metadata: { refund: order.key },
        ...givenBack(deps.connect, order.amount),
        ...(order.takeBack === true ? { reverse_transfer: true } : {}),
        expand: expandBooking,
      },
      optionsOf(deps, order, "refund"),
    );
    return refundedBy(made);
  } catch (error) {
    const failure = failureOf(error);
    // Only a settled answer lets the attempt rise.
    if (failure.kind === "unknown") return failure.settled ? findRefund(deps, order) : failure;
    // A no may be the echo of this very refund: "already refunded" is also said of the one whose answer was lost.
    const found = await findRefund(deps, order);
    if (found.kind !== "absent") return found;
    return { kind: "refused", because: failure.kind === "refused" ? failure.because : failure.kind };
  }
}

export async function readRefund({ stripe, connect }: CardDeps, reference: string): Promise<RefundStanding> {
  try {
    const expand = expandBooking;
    return refundedBy(await stripe.refunds.retrieve(reference, { expand }, callOptions(connect)));
  } catch (error) {
    return unreadable(failureOf(error));
  }
}

async function findRefund({ stripe, connect }: CardDeps, order: RefundOrder): Promise<RefundStanding> {
  try {
    const expand = expandBooking.map((path) => `data.${path}`);
    const refunds = stripe.refunds.list(
      { payment_intent: order.reference, limit: 100, expand },
      callOptions(connect),
    );
    for await (const made of refunds) if (made.metadata?.refund === order.key) return refundedBy(made);
    return { kind: "absent" };
  } catch (error) {
    return unreadable(failureOf(error));
  }
}

const unreadable = (failure: Failure): RefundStanding => ({
  kind: "unknown",
  because: failure.kind === "unknown" ? failure.because : "unexpected",
});

/**
 * A refund that Stripe has accepted counts, also while its bank is still at it. One that failed and was never booked has given the
 * payer nothing, though what it took back from a merchant's account stays with us; one that was booked has moved the money there
 * and back.
 */
function refundedBy(made: Stripe.Refund): RefundStanding {
  const failed = refundFailure(made);
  if (failed !== undefined && (made.balance_transaction ?? undefined) === undefined)
    return {
      kind: "refused",
      because: failed.because,
      ...((made.transfer_reversal ?? null) === null ? {} : { takenBackBy: made.id }),
    };
  const booking = bookingOf(made.balance_transaction ?? undefined);
  const reversal = typeof made.transfer_reversal === "object" ? made.transfer_reversal : null;
  const { booking: takenBack } = bookingOf(reversal?.balance_transaction ?? undefined);
  return {
    kind: "refunded",
    refund: made.id,
    amount: moneyOf(made.amount, made.currency),
    ...booking,
    ...(takenBack === undefined ? {} : { takenBack }),
    ...(failed === undefined ? {} : { failed }),
  };
}

/** Why a refund has come to nothing; undefined as long as it has not. */
export function refundFailure(made: Stripe.Refund): { readonly because: string } | undefined {
  if (made.status !== "failed" && made.status !== "canceled") return undefined;
  return { because: made.failure_reason ?? made.status };
}
