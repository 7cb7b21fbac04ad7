import { payPeriod } from "./invoices.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { periodEnd } from "./prices.ts";
import { badParameter, noSuch, unexpected } from "./refusal.ts";
import type { CheckoutSession, Metadata, Price, Subscription, SubscriptionStatus } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

export type NewSubscription = {
  readonly customer: string;
  readonly prices: readonly { readonly price: Price; readonly quantity: number }[];
  readonly method: string;
  readonly metadata: Metadata;
};

/** A subscription whose first period has been paid. */
export function startSubscription(draft: Draft, of: NewSubscription): Subscription {
  const id = stripeId("sub");
  const [first] = of.prices;
  const subscription: Subscription = {
    id,
    object: "subscription",
    created: draft.now,
    livemode: false,
    cancel_at: null,
    cancel_at_period_end: false,
    canceled_at: null,
    collection_method: "charge_automatically",
    currency: first?.price.currency ?? "usd",
    customer: of.customer,
    default_payment_method: of.method,
    ended_at: null,
    items: {
      object: "list",
      data: of.prices.map(({ price, quantity }) => ({
        id: stripeId("si"),
        object: "subscription_item",
        created: draft.now,
        current_period_start: draft.now,
        current_period_end: periodEnd(draft.now, price.recurring ?? { interval: "month", interval_count: 1 }),
        metadata: {},
        price,
        quantity,
        subscription: id,
      })),
      has_more: false,
      url: `/v1/subscription_items?subscription=${id}`,
    },
    latest_invoice: null,
    metadata: of.metadata,
    start_date: draft.now,
    status: "active",
    trial_end: null,
  };
  draft.put(subscription);
  draft.happened("customer.subscription.created", subscription);
  return subscription;
}

const ended: readonly SubscriptionStatus[] = ["canceled", "incomplete_expired"];
export const isEnded = ({ status }: Pick<Subscription, "status">): boolean => ended.includes(status);

function subscriptionOf({ draft, path }: Pick<Call, "draft" | "path">): Subscription {
  const found = find(draft, "subscription", path[0] ?? "");
  if (found === undefined) throw noSuch("subscription", path[0] ?? "");
  return found;
}

function readSubscription(call: Call): Subscription {
  call.parameters.finish();
  return subscriptionOf(call);
}

function updateSubscription(call: Call): Subscription {
  const { draft, parameters } = call;
  const before = subscriptionOf(call);
  const atEnd = parameters.flag("cancel_at_period_end");
  const metadata = parameters.map("metadata");
  parameters.finish();
  if (ended.includes(before.status))
    throw unexpected("resource_missing", "A canceled subscription can only update its cancellation_details.");
  const [item] = before.items.data;
  const changed: Subscription = {
    ...before,
    cancel_at_period_end: atEnd,
    cancel_at: atEnd ? (item?.current_period_end ?? null) : null,
    metadata: { ...before.metadata, ...metadata },
  };
  draft.put(changed);
  draft.happened("customer.subscription.updated", changed);
  return changed;
}

function cancelSubscription(call: Call): Subscription {
  call.parameters.finish();
  return standAs(call.draft, subscriptionOf(call), "canceled");
}

/** What time or a failed payment does to a subscription, or its holder's cancellation. */
export function standAs(draft: Draft, before: Subscription, status: SubscriptionStatus): Subscription {
  if (ended.includes(before.status)) throw noSuch("subscription", before.id);
  const gone = status === "canceled";
  const changed: Subscription = {
    ...before,
    status,
    ...(gone ? { canceled_at: draft.now, ended_at: draft.now } : {}),
  };
  draft.put(changed);
  draft.happened(gone ? "customer.subscription.deleted" : "customer.subscription.updated", changed);
  return changed;
}

/** Its period is over, and the next one is paid for. */
export function renew(draft: Draft, before: Subscription): Subscription {
  if (before.status !== "active") throw noSuch("active subscription", before.id);
  const { items } = before;
  const data = items.data.map((item) => ({
    ...item,
    current_period_start: item.current_period_end,
    current_period_end: periodEnd(
      item.current_period_end,
      item.price.recurring ?? { interval: "month", interval_count: 1 },
    ),
  }));
  const renewed: Subscription = { ...before, items: { ...items, data } };
  draft.put(renewed);
  const { id: latest } = payPeriod(draft, renewed, "subscription_cycle");
  draft.happened("customer.subscription.updated", renewed);
  return { ...renewed, latest_invoice: latest };
}

function listSubscriptions(call: Call) {
  const customer = call.parameters.text("customer");
  const status = call.parameters.text("status");
  const page = pageOf(call, {
    object: "subscription",
    url: "/v1/subscriptions",
    keep: (one) =>
      (customer === undefined || one.customer === customer) &&
      (status === "all" || (status === undefined ? one.status !== "canceled" : one.status === status)),
  });
  call.parameters.finish();
  return page;
}

/** The customer pays at the page of a session: what was asked for begins, and the session is over. */
export function payCheckout(
  draft: Draft,
  session: CheckoutSession,
  { method, customer }: { readonly method: string; readonly customer: string },
): CheckoutSession {
  if (session.status !== "open") throw badParameter("session", "This Checkout Session is not open.");
  const subscription = startSubscription(draft, {
    customer,
    method,
    prices: session._wanted.map(({ price, quantity }) => {
      const found = find(draft, "price", price);
      if (found === undefined) throw noSuch("price", price, "price");
      return { price: found, quantity };
    }),
    metadata: session._subscription_metadata,
  });
  payPeriod(draft, subscription, "subscription_create");
  const done: CheckoutSession = {
    ...session,
    customer,
    status: "complete",
    payment_status: "paid",
    subscription: subscription.id,
    url: null,
  };
  draft.put(done);
  draft.happened("checkout.session.completed", done);
  return done;
}

// biome-ignore format: a table of routes reads best one per line
export const subscriptionOperations: readonly Operation[] = [
  { name: "subscriptions.list", method: "GET", path: /^\/v1\/subscriptions$/, run: listSubscriptions },
  { name: "subscriptions.retrieve", method: "GET", path: /^\/v1\/subscriptions\/(\w+)$/, run: readSubscription },
  { name: "subscriptions.update", method: "POST", path: /^\/v1\/subscriptions\/(\w+)$/, run: updateSubscription },
  { name: "subscriptions.cancel", method: "DELETE", path: /^\/v1\/subscriptions\/(\w+)$/, run: cancelSubscription },
];
