import { randomBytes } from "node:crypto";
import { type CardBehaviour, cardEnding, testCard } from "./cards.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, StripeRefusal, unexpected } from "./refusal.ts";
import type { Customer, PaymentError, PaymentMethod, Resource, SetupIntent } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

function createCustomer({ draft, parameters }: Call): Customer {
  const customer: Customer = {
    id: stripeId("cus"),
    object: "customer",
    created: draft.now,
    livemode: false,
    email: parameters.text("email") ?? null,
    name: parameters.text("name") ?? null,
    description: parameters.text("description") ?? null,
    metadata: parameters.map("metadata"),
    invoice_settings: { default_payment_method: null },
  };
  parameters.finish();
  draft.put(customer);
  draft.happened("customer.created", customer);
  return customer;
}

/** A payer whom Checkout met first. */
export function newCustomer(draft: Draft): string {
  const id = stripeId("cus");
  const invoice_settings = { default_payment_method: null };
  const base = { id, object: "customer", created: draft.now, livemode: false } as const;
  draft.put({ ...base, email: null, name: null, description: null, metadata: {}, invoice_settings });
  return id;
}

export const customerOf = (draft: Draft, id: string, param = "customer"): Customer => {
  const found = find(draft, "customer", id);
  if (found === undefined || found.deleted === true) throw noSuch("customer", id, param);
  return found;
};

/** One that was deleted can still be read: that it was. */
function readCustomer({ draft, parameters, path }: Call) {
  parameters.finish();
  const id = path[0] ?? "";
  const found = find(draft, "customer", id);
  if (found?.deleted === true) return { id, object: "customer", deleted: true } as const;
  return customerOf(draft, id, "id");
}

/** The saved method of an id, or a fresh one of a test token such as `pm_card_visa`. */
export function methodOf(draft: Draft, id: string, param = "payment_method"): PaymentMethod {
  const saved = find(draft, "payment_method", id);
  if (saved !== undefined) return saved;
  const card = testCard(id);
  if (card === undefined) throw noSuch("PaymentMethod", id, param);
  return putFresh(draft, card);
}

/** A new method of the test card that ends so. */
export const methodEnding = (draft: Draft, last4: string): PaymentMethod =>
  putFresh(draft, cardEnding(last4));

function putFresh(draft: Draft, card: CardBehaviour): PaymentMethod {
  const fresh = freshMethod(draft, card);
  draft.put(fresh);
  return fresh;
}

const freshMethod = (draft: Draft, card: CardBehaviour): PaymentMethod => ({
  id: stripeId("pm"),
  object: "payment_method",
  created: draft.now,
  livemode: false,
  type: "card",
  customer: null,
  billing_details: { address: null, email: null, name: null, phone: null },
  card: {
    brand: card.brand,
    country: "US",
    exp_month: 12,
    exp_year: 2034,
    funding: card.funding ?? "credit",
    last4: card.last4,
    fingerprint: `sandbox${card.last4}${card.brand}`,
  },
  metadata: {},
});

export const behaviourOf = (method: PaymentMethod): CardBehaviour => cardEnding(method.card.last4);

export const declineOf = (card: CardBehaviour, method: PaymentMethod): PaymentError => ({
  type: "card_error",
  code: card.declines?.code ?? "card_declined",
  ...(card.declines?.declineCode === undefined ? {} : { decline_code: card.declines.declineCode }),
  message: "Your card was declined.",
  payment_method: asJson(method),
});

// A resource is JSON by its members' types; the union cannot be inferred to be.
export const asJson = (resource: Resource) =>
  resource as unknown as NonNullable<PaymentError["payment_method"]>;

function attach({ draft, parameters, path }: Call): PaymentMethod {
  const customer = customerOf(draft, parameters.requiredText("customer"));
  parameters.finish();
  const method = methodOf(draft, path[0] ?? "");
  if (method.customer !== null)
    throw unexpected(
      "payment_method_already_attached",
      "The payment method you provided has already been attached to a customer.",
    );
  const card = behaviourOf(method);
  if (card.declinesAtSetup === true) throw new StripeRefusal(402, { ...declineOf(card, method) });
  const attached = { ...method, customer: customer.id };
  draft.put(attached);
  draft.happened("payment_method.attached", attached);
  return attached;
}

function detach({ draft, parameters, path }: Call): PaymentMethod {
  parameters.finish();
  const method = find(draft, "payment_method", path[0] ?? "");
  if (method === undefined) throw noSuch("PaymentMethod", path[0] ?? "");
  if (method.customer === null)
    throw unexpected(
      "resource_missing",
      "The payment method you provided is not attached to a customer so detachment is impossible.",
    );
  const detached = { ...method, customer: null };
  draft.put(detached);
  draft.happened("payment_method.detached", detached);
  return detached;
}

function createSetupIntent(call: Call): SetupIntent {
  const { draft, parameters } = call;
  const customer = parameters.text("customer");
  const method = parameters.text("payment_method");
  const allowed = parameters.list("allowed_payment_method_types");
  const types = [...allowed, ...parameters.list("payment_method_types")];
  const confirm = parameters.flag("confirm");
  parameters.group("automatic_payment_methods");
  const id = stripeId("seti");
  const created: SetupIntent = {
    id,
    object: "setup_intent",
    created: draft.now,
    livemode: false,
    client_secret: `${id}_secret_${randomBytes(12).toString("hex")}`,
    customer: customer === undefined ? null : customerOf(draft, customer).id,
    payment_method: null,
    allowed_payment_method_types: allowed.length === 0 ? null : allowed,
    payment_method_types: types.length === 0 ? ["card"] : types,
    status: method === undefined ? "requires_payment_method" : "requires_confirmation",
    usage: parameters.choice("usage", ["off_session", "on_session"]) ?? "off_session",
    next_action: null,
    last_setup_error: null,
    latest_attempt: null,
    mandate: null,
    metadata: parameters.map("metadata"),
  };
  parameters.text("return_url");
  parameters.text("description");
  parameters.finish();
  if (confirm && method === undefined)
    throw badParameter("payment_method", "You cannot confirm without a payment method.");
  const withMethod =
    method === undefined ? created : { ...created, payment_method: methodOf(draft, method).id };
  draft.put(withMethod);
  draft.happened("setup_intent.created", withMethod);
  return confirm ? setUp(call, withMethod) : withMethod;
}

function confirmSetupIntent(call: Call): SetupIntent {
  const { draft, parameters } = call;
  const intent = setupIntentOf(call);
  const given = parameters.text("payment_method");
  parameters.text("return_url");
  parameters.finish();
  if (intent.status === "succeeded" || intent.status === "canceled")
    throw unexpected("setup_intent_unexpected_state", `This SetupIntent has a status of ${intent.status}.`, {
      setup_intent: asJson(intent),
    });
  const method = given === undefined ? intent.payment_method : methodOf(draft, given).id;
  if (method === null) throw badParameter("payment_method", "You cannot confirm without a payment method.");
  return setUp(call, { ...intent, payment_method: method });
}

function setUp({ draft, forced }: Call, intent: SetupIntent): SetupIntent {
  const method = methodOf(draft, intent.payment_method ?? "");
  const card = behaviourOf(method);
  if (card.declinesAtSetup === true || forced !== undefined) {
    const error =
      forced === undefined
        ? declineOf(card, method)
        : { ...declineOf(card, method), decline_code: forced.declineCode };
    const failed = failSetUp(draft, intent, error);
    throw new StripeRefusal(402, { ...error, setup_intent: asJson(failed) });
  }
  if (card.authentication !== undefined) {
    const waiting: SetupIntent = {
      ...intent,
      status: "requires_action",
      next_action: { type: "use_stripe_sdk", use_stripe_sdk: {} },
    };
    draft.put(waiting);
    draft.happened("setup_intent.requires_action", waiting);
    return waiting;
  }
  return finishSetUp(draft, intent);
}

function failSetUp(draft: Draft, intent: SetupIntent, error: PaymentError): SetupIntent {
  const failed: SetupIntent = {
    ...intent,
    status: "requires_payment_method",
    payment_method: null,
    last_setup_error: error,
  };
  draft.put(failed);
  draft.happened("setup_intent.setup_failed", failed);
  return failed;
}

/** In Stripe's own form: the holder names a card and confirms it where the issuer asks. False when it is declined. */
export function setUpByHolder(draft: Draft, intent: SetupIntent, named: string): boolean {
  const method = methodOf(draft, named);
  const card = behaviourOf(method);
  if (card.declinesAtSetup === true) failSetUp(draft, intent, declineOf(card, method));
  else finishSetUp(draft, { ...intent, payment_method: method.id });
  return card.declinesAtSetup !== true;
}

/** The cardholder has confirmed, or need not: the method belongs to the customer from now on. */
export function finishSetUp(draft: Draft, intent: SetupIntent): SetupIntent {
  const method = methodOf(draft, intent.payment_method ?? "");
  const attached = { ...method, customer: intent.customer };
  const done: SetupIntent = { ...intent, status: "succeeded", next_action: null, last_setup_error: null };
  draft.put(attached);
  draft.put(done);
  draft.happened("payment_method.attached", attached);
  draft.happened("setup_intent.succeeded", done);
  return done;
}

const setupIntentOf = ({ draft, path }: Call): SetupIntent => {
  const found = find(draft, "setup_intent", path[0] ?? "");
  if (found === undefined) throw noSuch("setupintent", path[0] ?? "");
  return found;
};

const read = <T>(call: Call, found: T): T => {
  call.parameters.finish();
  return found;
};

const savedMethodOf = ({ draft, path }: Call): PaymentMethod => {
  const found = find(draft, "payment_method", path[0] ?? "");
  if (found === undefined) throw noSuch("PaymentMethod", path[0] ?? "");
  return found;
};

function listMethods(call: Call) {
  const customer = call.parameters.text("customer");
  call.parameters.text("type");
  const page = pageOf(call, {
    object: "payment_method",
    url: "/v1/payment_methods",
    keep: (method) => method.customer !== null && method.customer === customer,
  });
  return read(call, page);
}

// biome-ignore format: a table of routes reads best one per line
export const customerOperations: readonly Operation[] = [
  { name: "customers.create", method: "POST", path: /^\/v1\/customers$/, run: createCustomer },
  { name: "customers.retrieve", method: "GET", path: /^\/v1\/customers\/(\w+)$/, run: readCustomer },
  { name: "payment_methods.attach", method: "POST", path: /^\/v1\/payment_methods\/(\w+)\/attach$/, run: attach },
  { name: "payment_methods.detach", method: "POST", path: /^\/v1\/payment_methods\/(\w+)\/detach$/, run: detach },
  { name: "payment_methods.retrieve", method: "GET", path: /^\/v1\/payment_methods\/(\w+)$/, run: (call) => read(call, savedMethodOf(call)) },
  { name: "payment_methods.list", method: "GET", path: /^\/v1\/payment_methods$/, run: listMethods },
  { name: "setup_intents.create", method: "POST", path: /^\/v1\/setup_intents$/, run: createSetupIntent },
  { name: "setup_intents.confirm", method: "POST", path: /^\/v1\/setup_intents\/(\w+)\/confirm$/, run: confirmSetupIntent },
  { name: "setup_intents.retrieve", method: "GET", path: /^\/v1\/setup_intents\/(\w+)$/, run: (call) => read(call, setupIntentOf(call)) },
];
