import { type Clock, hourMs, invariant } from "@remit/kernel";
import type Stripe from "stripe";
import type { CaptureOrder, ReleaseOrder, Standing, Step } from "../engine.ts";
import { toStripe } from "./amounts.ts";
import { type Connect, callOptions, keptOf, platformFee } from "./connect.ts";
import { type Failure, failureOf } from "./failures.ts";
import { standingOf } from "./standings.ts";

export type CardDeps = {
  readonly stripe: Stripe;
  readonly clock: Clock;
  /** For whom a platform's key takes the money; absent when it is the seller's own. */
  readonly connect?: Connect;
};

// Stripe forgets keys after 24 h at the earliest; beyond this a replay could make a second payment.
export const replayMsMax = 20 * hourMs;
const expandBooking = [
  "latest_charge.balance_transaction",
  "latest_charge.transfer.balance_transaction",
  "latest_charge.application_fee.balance_transaction",
];

export const keyOf = (order: Step, step: string): { idempotencyKey: string } => ({
  idempotencyKey: `${order.key}.${step}.${order.attempt}`,
});

export const optionsOf = ({ connect }: CardDeps, order: Step, step: string) =>
  callOptions(connect, keyOf(order, step).idempotencyKey);

export async function captureIntent(deps: CardDeps, order: CaptureOrder<unknown>): Promise<Standing> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  try {
    const intent = await deps.stripe.paymentIntents.capture(
      order.reference,
      {
        amount_to_capture: price.amount,
        ...platformFee(deps.connect, order.amount),
        ...keptOf(order.passOn),
        expand: expandBooking,
      },
      optionsOf(deps, order, "capture"),
    );
    return standingOf(intent);
  } catch (error) {
    return settledBy(deps, failureOf(error), order.reference);
  }
}

export async function releaseIntent(deps: CardDeps, order: ReleaseOrder): Promise<Standing> {
  try {
    const options = optionsOf(deps, order, "cancel");
    return standingOf(await deps.stripe.paymentIntents.cancel(order.reference, {}, options));
  } catch (error) {
    return settledBy(deps, failureOf(error), order.reference);
  }
}

export async function readIntent({ stripe, connect }: CardDeps, reference: string): Promise<Standing> {
  try {
    const options = callOptions(connect);
    return standingOf(await stripe.paymentIntents.retrieve(reference, { expand: expandBooking }, options));
  } catch (error) {
    const failure = failureOf(error);
    invariant(
      failure.kind !== "declined" && failure.kind !== "authentication_required",
      "reading declines nothing",
    );
    return afterFailure(failure, reference);
  }
}

/** A call on a known PaymentIntent that was not obeyed: its state is the answer when Stripe says it is another. */
export async function settledBy(deps: CardDeps, failure: Failure, reference: string): Promise<Standing> {
  return failure.kind === "wrong_state" ? readIntent(deps, reference) : afterFailure(failure, reference);
}

export function afterFailure(failure: Failure, reference: string | null): Standing {
  switch (failure.kind) {
    case "declined":
      return { kind: "declined", reference, code: failure.code };
    case "authentication_required":
      return reference === null
        ? { kind: "declined", reference, code: "authentication_required" }
        : { kind: "requires_action", reference };
    case "wrong_state":
      return { kind: "unknown", because: "unexpected" };
    case "refused":
      return { kind: "refused", because: failure.because };
    case "unknown":
      return { kind: "unknown", because: failure.because };
  }
}
