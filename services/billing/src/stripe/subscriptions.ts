import { fromNumericDate, type Id, type Instant } from "@remit/kernel";
import { type PlanTier, Problem } from "@remit/protocol";
import Stripe from "stripe";
import { unavailable } from "./failures.ts";

/** What a tier costs a month, by the key under which Stripe knows its price. */
export type TierPrice = { readonly tier: PlanTier; readonly amountMinor: number; readonly currency: string };

export type CheckoutOrder = {
  readonly id: Id<"checkout">;
  readonly tenant: Id<"tenant">;
  readonly customer: string;
  readonly tier: PlanTier;
  readonly successUrl: string;
  readonly cancelUrl: string;
  readonly prices: readonly TierPrice[];
};

const lookupKey = (tier: PlanTier): string => `remit_${tier}_monthly`;

/**
 * Opens a session of Checkout. The order's id is the idempotency key, so that a lost answer is asked for again and no
 * second session comes of it. Throws `unavailable`.
 */
export async function openCheckout(
  stripe: Stripe,
  order: CheckoutOrder,
): Promise<{ readonly session: string; readonly url: string }> {
  const { id, tenant, tier, customer } = order;
  try {
    const price = await priceOf(stripe, order);
    const session = await stripe.checkout.sessions.create(
      {
        mode: "subscription",
        customer,
        client_reference_id: tenant,
        line_items: [{ price, quantity: 1 }],
        success_url: order.successUrl,
        cancel_url: order.cancelUrl,
        metadata: { tenant, checkout: id, tier },
        // What was bought is said by the subscription itself: its price may lose the lookup key to a newer one.
        subscription_data: { metadata: { tenant, checkout: id, tier } },
      },
      { idempotencyKey: `checkout.${id}` },
    );
    if (session.url === null) throw new Problem("plan_change_refused", { detail: "The visit is over." });
    return { session: session.id, url: session.url };
  } catch (error) {
    throw error instanceof Problem ? error : unavailable(error);
  }
}

/** The session of an order whose answer was lost; undefined when Stripe has none that is open. Throws `unavailable`. */
export async function findCheckout(
  stripe: Stripe,
  { id, customer }: Pick<CheckoutOrder, "id" | "customer">,
): Promise<{ readonly session: string; readonly url: string } | undefined> {
  try {
    const { data } = await stripe.checkout.sessions.list({ customer, limit: 20 });
    const found = data.find(({ metadata }) => metadata?.["checkout"] === id);
    return found === undefined || found.url === null ? undefined : { session: found.id, url: found.url };
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** The price as Stripe has it; made once, where an operator has not. */
async function priceOf(stripe: Stripe, { tier, prices }: CheckoutOrder): Promise<string> {
  const key = lookupKey(tier);
  const { data } = await stripe.prices.list({ lookup_keys: [key], active: true, limit: 1 });
  const [known] = data;
  if (known !== undefined) return known.id;
  const wanted = prices.find((one) => one.tier === tier);
  if (wanted === undefined)
    throw new Problem("plan_change_refused", { detail: `The plan ${tier} is not for sale.` });
  const made = await stripe.prices.create(
    {
      currency: wanted.currency,
      unit_amount: wanted.amountMinor,
      recurring: { interval: "month" },
      product_data: { name: `Remit ${tier}` },
      lookup_key: key,
    },
    { idempotencyKey: `price.${key}.${wanted.currency}.${wanted.amountMinor}` },
  );
  return made.id;
}

export type CheckoutSeen = {
  readonly state: "open" | "completed" | "expired";
  readonly subscription: string | undefined;
};

export async function readCheckout(stripe: Stripe, session: string): Promise<CheckoutSeen> {
  try {
    const { status, subscription } = await stripe.checkout.sessions.retrieve(session);
    const state = status === "complete" ? "completed" : status === "expired" ? "expired" : "open";
    return { state, subscription: idIn(subscription) };
  } catch (cause) {
    throw unavailable(cause);
  }
}

/** Ends a session; one that is over already is as wanted. */
export async function expireCheckout(stripe: Stripe, session: string): Promise<void> {
  try {
    await stripe.checkout.sessions.expire(session);
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw unavailable(error);
  }
}

/** Lets a subscription end: with the period that is paid, or now. Asked again it is as wanted. Throws `unavailable`. */
export async function endSubscription(stripe: Stripe, id: string, when: "period" | "now"): Promise<void> {
  try {
    if (when === "now") await stripe.subscriptions.cancel(id);
    else await stripe.subscriptions.update(id, { cancel_at_period_end: true });
  } catch (error) {
    // One that is over is ended; whatever Stripe said, what is written comes from a read.
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw unavailable(error);
  }
}

/** Takes back that a subscription ends with its period. One that is over stays over. Throws `unavailable`. */
export async function resumeSubscription(stripe: Stripe, id: string): Promise<void> {
  try {
    await stripe.subscriptions.update(id, { cancel_at_period_end: false });
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeInvalidRequestError)) throw unavailable(error);
  }
}

/** What Stripe says of a subscription that pays for a plan. */
export type SubscriptionSeen = {
  readonly subscription: string;
  readonly customer: string;
  /** Undefined when neither the subscription nor its price says what was bought: whoever knows it already keeps that. */
  readonly tier: PlanTier | undefined;
  readonly status: string;
  readonly periodEnd: Instant | undefined;
  readonly endsWithPeriod: boolean;
};

/** Undefined for one that has no customer or no price, or that Stripe does not know. */
export async function readSubscription(
  stripe: Stripe,
  id: string,
  prices: readonly TierPrice[],
): Promise<SubscriptionSeen | undefined> {
  const found = await retrieve(stripe, id);
  const [item] = found?.items.data ?? [];
  const customer = idIn(found?.customer ?? null);
  if (found === undefined || item === undefined || customer === undefined) return undefined;
  const said = prices.find(({ tier }) => tier === found.metadata["tier"]);
  const priced = prices.find(({ tier }) => lookupKey(tier) === item.price.lookup_key);
  return {
    subscription: found.id,
    customer,
    tier: (said ?? priced)?.tier,
    status: found.status,
    periodEnd: fromNumericDate(item.current_period_end),
    endsWithPeriod: found.cancel_at_period_end,
  };
}

async function retrieve(stripe: Stripe, id: string): Promise<Stripe.Subscription | undefined> {
  try {
    return await stripe.subscriptions.retrieve(id);
  } catch (error) {
    if (error instanceof Stripe.errors.StripeInvalidRequestError && error.statusCode === 404)
      return undefined;
    throw unavailable(error);
  }
}

const idIn = (value: string | { readonly id: string } | null): string | undefined =>
  (typeof value === "string" ? value : value?.id) ?? undefined;
