import { type Clock, hourMs, invariant, type Money, secondMs } from "@remit/kernel";
import type Stripe from "stripe";
import type {
  CaptureOrder,
  HoldOrder,
  Keep,
  PaymentEngine,
  RefundOrder,
  RefundStanding,
  ReleaseOrder,
  Standing,
} from "../engine.ts";
import { type StripeAmount, toStripe } from "./amounts.ts";
import { type Failure, failureOf } from "./failures.ts";
import { bookingOf, moneyOf, standingOf } from "./standings.ts";

export type CardEngineDeps = { readonly stripe: Stripe; readonly clock: Clock };

/** Cards over Stripe: manual-capture PaymentIntents, created unconfirmed so that every unknown outcome is read by id. */
export const createCardEngine = (deps: CardEngineDeps): PaymentEngine => ({
  rail: "card",
  hold: (order, keep) => hold(deps, order, keep),
  capture: (order) => capture(deps, order),
  release: (order) => release(deps, order),
  refund: (order) => refund(deps, order),
  readRefund: (reference) => readRefund(deps, reference),
  readBack: (reference) => readBack(deps, reference),
});

// Stripe forgets keys after 24 h at the earliest; beyond this a replay could make a second PaymentIntent.
const replayMsMax = 20 * hourMs;
const clockSlackMs = 300 * secondMs;
const expandBooking = ["latest_charge.balance_transaction"];

const keyOf = (order: { key: string; attempt: number }, step: string): { idempotencyKey: string } => ({
  idempotencyKey: `${order.key}.${step}.${order.attempt}`,
});

async function hold(deps: CardEngineDeps, order: HoldOrder, keep: Keep): Promise<Standing> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  if (order.reference !== null) return confirm(deps, order, order.reference);
  const prepared = await prepare(deps, order, price);
  // Whatever was found, its reference is durable before anybody acts upon it.
  if (!("reference" in prepared) || prepared.reference === null) return prepared;
  const wanted = await keep(prepared.reference);
  return wanted && prepared.kind === "prepared" ? confirm(deps, order, prepared.reference) : prepared;
}

/** Creates the PaymentIntent, or finds the one that a lost answer had created. */
async function prepare(deps: CardEngineDeps, order: HoldOrder, price: StripeAmount): Promise<Standing> {
  if (deps.clock.now() - order.startedAt > replayMsMax) return find(deps, order);
  try {
    const intent = await deps.stripe.paymentIntents.create(
      {
        ...price,
        customer: order.payer,
        payment_method: order.instrument,
        allowed_payment_method_types: ["card"],
        capture_method: "manual",
        metadata: { ...order.labels, payment: order.key },
      },
      keyOf(order, "create"),
    );
    return { kind: "prepared", reference: intent.id };
  } catch (error) {
    const failure = failureOf(error);
    // The stored answer of this key is all that Stripe will ever say to it: look whether it was made all the same.
    if (failure.kind === "unknown" && failure.settled) return find(deps, order);
    return afterFailure(failure, null);
  }
}

/** Looks the PaymentIntent up by customer and time. Never by search, whose index runs behind. */
async function find({ stripe }: CardEngineDeps, order: HoldOrder): Promise<Standing> {
  const gte = Math.floor((order.startedAt - clockSlackMs) / secondMs);
  try {
    for await (const intent of stripe.paymentIntents.list({
      customer: order.payer,
      created: { gte },
      limit: 100,
    }))
      if (intent.metadata.payment === order.key) return standingOf(intent);
    return { kind: "absent" };
  } catch (error) {
    return afterFailure(failureOf(error), null);
  }
}

async function confirm(deps: CardEngineDeps, order: HoldOrder, reference: string): Promise<Standing> {
  try {
    return standingOf(
      await deps.stripe.paymentIntents.confirm(reference, { off_session: true }, keyOf(order, "confirm")),
    );
  } catch (error) {
    return settledBy(deps, failureOf(error), reference);
  }
}

async function capture(deps: CardEngineDeps, order: CaptureOrder): Promise<Standing> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  try {
    const intent = await deps.stripe.paymentIntents.capture(
      order.reference,
      { amount_to_capture: price.amount, expand: expandBooking },
      keyOf(order, "capture"),
    );
    return standingOf(intent);
  } catch (error) {
    return settledBy(deps, failureOf(error), order.reference);
  }
}

async function release(deps: CardEngineDeps, order: ReleaseOrder): Promise<Standing> {
  try {
    return standingOf(await deps.stripe.paymentIntents.cancel(order.reference, {}, keyOf(order, "cancel")));
  } catch (error) {
    return settledBy(deps, failureOf(error), order.reference);
  }
}

async function refund(deps: CardEngineDeps, order: RefundOrder): Promise<RefundStanding> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  // Unlike a capture, a second refund would be obeyed once its key is forgotten: only what is not there is asked for.
  if (order.recovered || deps.clock.now() - order.startedAt > replayMsMax) {
    const found = await findRefund(deps, order);
    if (found.kind !== "absent") return found;
  }
  return makeRefund(deps, order, price);
}

async function makeRefund(
  deps: CardEngineDeps,
  order: RefundOrder,
  price: StripeAmount,
): Promise<RefundStanding> {
  try {
    const made = await deps.stripe.refunds.create(
      {
        payment_intent: order.reference,
        amount: price.amount,
        metadata: { refund: order.key },
        expand: ["balance_transaction"],
      },
      keyOf(order, "refund"),
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

async function readRefund({ stripe }: CardEngineDeps, reference: string): Promise<RefundStanding> {
  try {
    return refundedBy(await stripe.refunds.retrieve(reference, { expand: ["balance_transaction"] }));
  } catch (error) {
    return unreadable(failureOf(error));
  }
}

async function findRefund({ stripe }: CardEngineDeps, order: RefundOrder): Promise<RefundStanding> {
  try {
    const refunds = stripe.refunds.list({
      payment_intent: order.reference,
      limit: 100,
      expand: ["data.balance_transaction"],
    });
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

/** A refund that Stripe has accepted counts, also while its bank is still at it; one that failed has moved nothing. */
function refundedBy(made: Stripe.Refund): RefundStanding {
  if (made.status === "failed" || made.status === "canceled")
    return { kind: "refused", because: made.failure_reason ?? made.status };
  const booking = bookingOf(made.balance_transaction ?? undefined);
  return { kind: "refunded", refund: made.id, amount: amountOf(made), ...booking };
}

const amountOf = (made: Stripe.Refund): Money => moneyOf(made.amount, made.currency);

async function readBack({ stripe }: CardEngineDeps, reference: string): Promise<Standing> {
  try {
    return standingOf(await stripe.paymentIntents.retrieve(reference, { expand: expandBooking }));
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
async function settledBy(deps: CardEngineDeps, failure: Failure, reference: string): Promise<Standing> {
  return failure.kind === "wrong_state" ? readBack(deps, reference) : afterFailure(failure, reference);
}

function afterFailure(failure: Failure, reference: string | null): Standing {
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
