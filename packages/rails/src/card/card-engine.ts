import { secondMs } from "@remit/kernel";
import type { HoldOrder, Keep, PaymentEngine, Standing } from "../engine.ts";
import { type StripeAmount, toStripe } from "./amounts.ts";
import { failureOf } from "./failures.ts";
import {
  afterFailure,
  type CardDeps,
  captureIntent,
  keyOf,
  readIntent,
  releaseIntent,
  replayMsMax,
  settledBy,
} from "./intents.ts";
import { readRefund, refund } from "./refunds.ts";
import { standingOf } from "./standings.ts";

/** The provider's ids of a payer and of the card that they saved with it. */
export type SavedCard = { readonly payer: string; readonly instrument: string };

/** Saved cards over Stripe: manual-capture PaymentIntents, created unconfirmed so that every unknown outcome is read by id. */
export const createCardEngine = (deps: Omit<CardDeps, "connect">): PaymentEngine<SavedCard> => ({
  rail: "card",
  hold: (order, keep) => hold(deps, order, keep),
  capture: (order) => captureIntent(deps, order),
  release: (order) => releaseIntent(deps, order),
  refund: (order) => refund(deps, order),
  readRefund: (reference) => readRefund(deps, reference),
  readBack: (reference) => readIntent(deps, reference),
});

const clockSlackMs = 300 * secondMs;

async function hold(deps: CardDeps, order: HoldOrder<SavedCard>, keep: Keep): Promise<Standing> {
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
async function prepare(deps: CardDeps, order: HoldOrder<SavedCard>, price: StripeAmount): Promise<Standing> {
  if (deps.clock.now() - order.startedAt > replayMsMax) return find(deps, order);
  try {
    const intent = await deps.stripe.paymentIntents.create(
      {
        ...price,
        customer: order.source.payer,
        payment_method: order.source.instrument,
        allowed_payment_method_types: ["card"],
        capture_method: "manual",
        // Which account's laws and statement it is under, and where the money goes; the fee is said with the capture.
        ...(order.destination === undefined
          ? {}
          : { transfer_data: { destination: order.destination }, on_behalf_of: order.destination }),
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
async function find({ stripe }: CardDeps, order: HoldOrder<SavedCard>): Promise<Standing> {
  const gte = Math.floor((order.startedAt - clockSlackMs) / secondMs);
  try {
    for await (const intent of stripe.paymentIntents.list({
      customer: order.source.payer,
      created: { gte },
      limit: 100,
    }))
      if (intent.metadata.payment === order.key) return standingOf(intent);
    return { kind: "absent" };
  } catch (error) {
    return afterFailure(failureOf(error), null);
  }
}

async function confirm(deps: CardDeps, order: HoldOrder<SavedCard>, reference: string): Promise<Standing> {
  try {
    return standingOf(
      await deps.stripe.paymentIntents.confirm(reference, { off_session: true }, keyOf(order, "confirm")),
    );
  } catch (error) {
    return settledBy(deps, failureOf(error), reference);
  }
}
