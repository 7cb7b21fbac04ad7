import { behaviourOf, customerOf, declineOf, methodOf, newCustomer } from "./customers.ts";
import type { Form } from "./form.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { priceOf } from "./prices.ts";
import { badParameter, noSuch, StripeRefusal } from "./refusal.ts";
import type { CheckoutSession } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";
import { payCheckout } from "./subscriptions.ts";

const dayS = 86_400;

/** Checkout in subscription mode: a page of Stripe's where a customer pays for the first period. */
function createSession({ draft, parameters }: Call): CheckoutSession {
  const mode = parameters.choice("mode", ["subscription", "payment", "setup"]);
  if (mode !== "subscription")
    throw badParameter("mode", "This sandbox has Checkout for subscriptions alone.");
  const wanted = linesOf(draft, parameters.group("line_items"));
  const subscriptionData = parameters.group("subscription_data");
  const customer = parameters.text("customer");
  const [first] = wanted;
  const total = wanted.reduce((sum, { amount }) => sum + amount, 0);
  const id = `cs_test_${stripeId("x").slice(2)}`;
  const session: CheckoutSession = {
    id,
    object: "checkout.session",
    created: draft.now,
    livemode: false,
    amount_subtotal: total,
    amount_total: total,
    cancel_url: parameters.text("cancel_url") ?? null,
    client_reference_id: parameters.text("client_reference_id") ?? null,
    currency: first?.currency ?? "usd",
    customer: customer === undefined ? null : customerOf(draft, customer).id,
    expires_at: parameters.integer("expires_at") ?? draft.now + dayS,
    metadata: parameters.map("metadata"),
    mode,
    payment_status: "unpaid",
    status: "open",
    subscription: null,
    success_url: parameters.requiredText("success_url"),
    ui_mode: "hosted",
    url: `${draft.origin}/sandbox/checkout/${id}`,
    _wanted: wanted.map(({ price, quantity }) => ({ price, quantity })),
    _subscription_metadata: metadataIn(subscriptionData),
  };
  parameters.finish();
  if (session.expires_at < draft.now + 1_800 || session.expires_at > draft.now + dayS)
    throw badParameter(
      "expires_at",
      "The `expires_at` timestamp must be between 30 minutes and 24 hours from Checkout Session creation.",
    );
  draft.put(session);
  return session;
}

type Line = {
  readonly price: string;
  readonly quantity: number;
  readonly amount: number;
  readonly currency: string;
};

function linesOf(draft: Draft, items: Form | undefined): Line[] {
  const lines = Object.entries(items ?? {}).map(([index, item]): Line => {
    const at = `line_items[${index}]`;
    if (typeof item === "string" || typeof item["price"] !== "string")
      throw badParameter(`${at}[price]`, `Missing required param: ${at}[price].`, "parameter_missing");
    const unknown = Object.keys(item).find((name) => name !== "price" && name !== "quantity");
    if (unknown !== undefined)
      throw badParameter(
        `${at}[${unknown}]`,
        `Received unknown parameter: ${at}[${unknown}]`,
        "parameter_unknown",
      );
    const price = priceOf(draft, item["price"], `${at}[price]`);
    const quantity = Number(item["quantity"] ?? 1);
    if (!Number.isSafeInteger(quantity) || quantity < 1)
      throw badParameter(`${at}[quantity]`, "This value must be greater than or equal to 1.");
    if (price.type !== "recurring")
      throw badParameter(at, "You must provide at least one recurring price in `subscription` mode.");
    return { price: price.id, quantity, amount: quantity * price.unit_amount, currency: price.currency };
  });
  if (lines.length === 0)
    throw badParameter("line_items", "Missing required param: line_items.", "parameter_missing");
  return lines;
}

function metadataIn(group: Form | undefined): Record<string, string> {
  const unknown = Object.keys(group ?? {}).find((name) => name !== "metadata");
  if (unknown !== undefined)
    throw badParameter(
      `subscription_data[${unknown}]`,
      `Received unknown parameter: subscription_data[${unknown}]`,
      "parameter_unknown",
    );
  const metadata = group?.["metadata"];
  if (metadata === undefined || typeof metadata === "string") return {};
  return Object.fromEntries(
    Object.entries(metadata).map(([name, value]) => [name, typeof value === "string" ? value : ""]),
  );
}

/** As anybody reads it: one whose time is over is expired. */
export function sessionOf(draft: Draft, id: string): CheckoutSession {
  const found = find(draft, "checkout.session", id);
  if (found === undefined) throw noSuch("checkout.session", id);
  return found.status === "open" && found.expires_at <= draft.now
    ? { ...found, status: "expired", url: null }
    : found;
}

function readSession({ draft, parameters, path }: Call): CheckoutSession {
  parameters.finish();
  return sessionOf(draft, path[0] ?? "");
}

function expireSession({ draft, parameters, path }: Call): CheckoutSession {
  parameters.finish();
  const session = sessionOf(draft, path[0] ?? "");
  if (session.status !== "open")
    throw badParameter(
      "session",
      `Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of ${session.status}.`,
    );
  const expired: CheckoutSession = { ...session, status: "expired", url: null };
  draft.put(expired);
  draft.happened("checkout.session.expired", expired);
  return expired;
}

function listSessions(call: Call) {
  const subscription = call.parameters.text("subscription");
  const customer = call.parameters.text("customer");
  const page = pageOf(call, {
    object: "checkout.session",
    url: "/v1/checkout/sessions",
    keep: (one) =>
      (subscription === undefined || one.subscription === subscription) &&
      (customer === undefined || one.customer === customer),
  });
  call.parameters.finish();
  return page;
}

/** A declined card leaves the session open, as Stripe's page does. */
export function payAt(draft: Draft, id: string, name: string): CheckoutSession {
  const session = sessionOf(draft, id);
  const method = methodOf(draft, name);
  const card = behaviourOf(method);
  if (card.declines !== undefined) throw new StripeRefusal(402, { ...declineOf(card, method) });
  const customer = session.customer ?? newCustomer(draft);
  const attached = { ...method, customer };
  draft.put(attached);
  return payCheckout(draft, session, { method: attached.id, customer });
}

// biome-ignore format: a table of routes reads best one per line
export const checkoutOperations: readonly Operation[] = [
  { name: "checkout_sessions.create", method: "POST", path: /^\/v1\/checkout\/sessions$/, run: createSession },
  { name: "checkout_sessions.list", method: "GET", path: /^\/v1\/checkout\/sessions$/, run: listSessions },
  { name: "checkout_sessions.retrieve", method: "GET", path: /^\/v1\/checkout\/sessions\/(\w+)$/, run: readSession },
  { name: "checkout_sessions.expire", method: "POST", path: /^\/v1\/checkout\/sessions\/(\w+)\/expire$/, run: expireSession },
];
