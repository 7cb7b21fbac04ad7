import { cardMinimum, secondMs } from "@remit/kernel";
import type Stripe from "stripe";
import type { HoldOrder, Keep, PaymentEngine, Standing } from "../engine.ts";
import { type StripeAmount, toStripe } from "./amounts.ts";
import { beneficiary, callOptions } from "./connect.ts";
import { failureOf, intentIn, misplaced } from "./failures.ts";
import {
  afterFailure,
  type CardDeps,
  captureIntent,
  keyOf,
  readIntent,
  releaseIntent,
  replayMsMax,
} from "./intents.ts";
import { readRefund, refund } from "./refunds.ts";
import { standingOf } from "./standings.ts";

/** What an agent gives: the right of one seller to take from one card, up to an amount and until a time. */
export type SharedToken = { readonly spt: string };

export type TokenEngineDeps = CardDeps & {
  /** The version of the API in which the seller's account knows shared payment tokens. */
  readonly apiVersion?: string;
};

// Tokens are a preview at Stripe: the version that is dated and public has them in neither of their spellings.
const tokenApiVersion = "2026-07-29.preview";
const clockSlackMs = 300 * secondMs;
/** So many payments are looked through for one whose answer was lost; a seller with more of them must look himself. */
const foundMax = 10_000;

/**
 * Cards by shared payment token: a manual-capture PaymentIntent, created and confirmed in one call, as tokens allow no
 * other. A lost answer is therefore read by repeating the call with its key, and never with another before the payment
 * is known to be canceled: `release` what was declined or authorized before the attempt rises.
 */
export function createTokenEngine(deps: TokenEngineDeps): PaymentEngine<SharedToken> {
  const making: Making = { ...deps, spellings: [inMethodData, atTop] };
  return {
    rail: "card",
    hold: (order, keep) => hold(making, order, keep),
    capture: (order) => captureIntent(deps, order),
    release: (order) => releaseIntent(deps, order),
    refund: (order) => refund(deps, order),
    readRefund: (reference) => readRefund(deps, reference),
    readBack: (reference) => readIntent(deps, reference),
  };
}

/** The SDK's types know no shared payment token yet, in either place. */
type Spelling = (spt: string) => object;
const inMethodData: Spelling = (spt) => ({ payment_method_data: { shared_payment_granted_token: spt } });
const atTop: Spelling = (spt) => ({ shared_payment_granted_token: spt });

/** `spellings`: the one that the account understood stands first from then on. */
type Making = TokenEngineDeps & { spellings: readonly [Spelling, Spelling] };

async function hold(making: Making, order: HoldOrder<SharedToken>, keep: Keep): Promise<Standing> {
  const price = toStripe(order.amount);
  if (price === undefined) return { kind: "refused", because: "amount_not_chargeable" };
  const minimum = cardMinimum(order.amount.asset);
  if (minimum !== undefined && order.amount.units < minimum.units)
    return { kind: "refused", because: "amount_too_small" };
  const standing =
    order.reference === null ? await make(making, order, price) : await readIntent(making, order.reference);
  if (!("reference" in standing) || standing.reference === null) return standing;
  await keep(standing.reference);
  return standing.kind === "requires_action" ? giveUp(making, order, standing.reference) : standing;
}

/** Makes the payment, or learns what became of it when it was made by an earlier call whose answer was lost. */
async function make(making: Making, order: HoldOrder<SharedToken>, price: StripeAmount): Promise<Standing> {
  if (making.clock.now() - order.startedAt > replayMsMax) return find(making, order);
  try {
    const intent = await create(making, order, price);
    // A replay tells how it stood the first time; it may have been captured or canceled since.
    const replayed = intent.lastResponse.headers["idempotent-replayed"] === "true";
    return replayed ? await readIntent(making, intent.id) : standingOf(intent);
  } catch (error) {
    const failure = failureOf(error);
    if (failure.kind === "unknown" && failure.settled) return find(making, order);
    return afterFailure(failure, intentIn(error));
  }
}

/** Tries the other spelling when Stripe knows not this one: it stops there before it does anything or keeps the key. */
async function create(
  making: Making,
  order: HoldOrder<SharedToken>,
  price: StripeAmount,
): Promise<Stripe.Response<Stripe.PaymentIntent>> {
  const [first, second] = making.spellings;
  try {
    return await createSpelled(making, order, { price, spelling: first });
  } catch (error) {
    if (!misplaced(error, ["payment_method_data", "shared_payment_granted_token"])) throw error;
    const made = await createSpelled(making, order, { price, spelling: second });
    making.spellings = [second, first];
    return made;
  }
}

const createSpelled = (
  { stripe, connect, apiVersion = tokenApiVersion }: Making,
  order: HoldOrder<SharedToken>,
  { price, spelling }: { price: StripeAmount; spelling: Spelling },
): Promise<Stripe.Response<Stripe.PaymentIntent>> =>
  stripe.paymentIntents.create(
    {
      ...price,
      ...beneficiary(connect, order.amount),
      ...spelling(order.source.spt),
      capture_method: "manual",
      confirm: true,
      automatic_payment_methods: { enabled: true, allow_redirects: "never" },
      metadata: { ...order.labels, payment: order.key },
    },
    { ...callOptions(connect, keyOf(order, "create").idempotencyKey), apiVersion },
  );

/** Looks the payment up among those of its time. Never by search, whose index runs behind. */
async function find({ stripe, connect }: TokenEngineDeps, order: HoldOrder<SharedToken>): Promise<Standing> {
  const at = (ms: number): number => Math.floor(ms / secondMs);
  const created = {
    gte: at(order.startedAt - clockSlackMs),
    lte: at(order.startedAt + replayMsMax + clockSlackMs),
  };
  let seen = 0;
  try {
    for await (const intent of stripe.paymentIntents.list({ created, limit: 100 }, callOptions(connect))) {
      if (intent.metadata.payment === order.key) return standingOf(intent);
      if (++seen === foundMax) return { kind: "unknown", because: "unexpected" };
    }
    return { kind: "absent" };
  } catch (error) {
    return afterFailure(failureOf(error), null);
  }
}

/** Nobody is there to confirm a payment by token: it is canceled, so that it never holds money later on. */
async function giveUp(making: Making, order: HoldOrder<SharedToken>, reference: string): Promise<Standing> {
  const ended = await releaseIntent(making, { ...order, reference });
  return ended.kind === "released"
    ? { kind: "declined", reference, code: "authentication_required" }
    : { kind: "requires_action", reference };
}
