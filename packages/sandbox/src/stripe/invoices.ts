import type { Invoice } from "./base.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { accepted } from "./payment-intents.ts";
import { noSuch } from "./refusal.ts";
import type { PaymentIntent, Subscription } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

/** Stripe asks a subscription's customer for a period, and the card that it has pays. */
export function payPeriod(
  draft: Draft,
  subscription: Subscription,
  reason: Invoice["billing_reason"],
): Invoice {
  const amount = subscription.items.data.reduce(
    (sum, { price, quantity }) => sum + price.unit_amount * quantity,
    0,
  );
  const { currency, customer, metadata } = subscription;
  const id = stripeId("in");
  const paid = accepted(draft, intentOf(draft, subscription, amount));
  const invoice: Invoice = {
    id,
    object: "invoice",
    created: draft.now,
    livemode: false,
    amount_due: amount,
    amount_paid: amount,
    amount_remaining: 0,
    billing_reason: reason,
    currency,
    customer,
    parent: {
      type: "subscription_details",
      subscription_details: { subscription: subscription.id, metadata },
    },
    payments: {
      object: "list",
      data: [
        {
          id: stripeId("inpay"),
          object: "invoice_payment",
          amount_paid: amount,
          amount_requested: amount,
          currency,
          invoice: id,
          is_default: true,
          payment: { type: "payment_intent", payment_intent: paid.id },
          status: "paid",
        },
      ],
      has_more: false,
      url: `/v1/invoice_payments?invoice=${id}`,
    },
    status: "paid",
    total: amount,
  };
  draft.put(invoice);
  draft.put({ ...subscription, latest_invoice: id });
  draft.happened("invoice.paid", invoice);
  return invoice;
}

const intentOf = (draft: Draft, { currency, ...of }: Subscription, amount: number): PaymentIntent => ({
  id: stripeId("pi"),
  object: "payment_intent",
  created: draft.now,
  livemode: false,
  amount,
  amount_capturable: 0,
  amount_received: 0,
  application_fee_amount: null,
  automatic_payment_methods: null,
  canceled_at: null,
  cancellation_reason: null,
  capture_method: "automatic",
  client_secret: `${stripeId("pi")}_secret`,
  confirmation_method: "automatic",
  currency,
  customer: of.customer,
  description: "Subscription",
  last_payment_error: null,
  latest_charge: null,
  metadata: {},
  next_action: null,
  on_behalf_of: null,
  payment_method: of.default_payment_method,
  allowed_payment_method_types: null,
  payment_method_types: ["card"],
  setup_future_usage: null,
  shared_payment_granted_token: null,
  statement_descriptor: null,
  statement_descriptor_suffix: null,
  status: "requires_confirmation",
  transfer_data: null,
  transfer_group: null,
});

function listInvoices(call: Call) {
  const subscription = call.parameters.text("subscription");
  const customer = call.parameters.text("customer");
  const status = call.parameters.text("status");
  const page = pageOf(call, {
    object: "invoice",
    url: "/v1/invoices",
    keep: (one) =>
      (subscription === undefined || one.parent.subscription_details.subscription === subscription) &&
      (customer === undefined || one.customer === customer) &&
      (status === undefined || one.status === status),
  });
  call.parameters.finish();
  return page;
}

function readInvoice({ draft, parameters, path }: Call): Invoice {
  parameters.finish();
  const found = find(draft, "invoice", path[0] ?? "");
  if (found === undefined) throw noSuch("invoice", path[0] ?? "");
  return found;
}

// biome-ignore format: a table of routes reads best one per line
export const invoiceOperations: readonly Operation[] = [
  { name: "invoices.list", method: "GET", path: /^\/v1\/invoices$/, run: listInvoices },
  { name: "invoices.retrieve", method: "GET", path: /^\/v1\/invoices\/(\w+)$/, run: readInvoice },
];
