import { randomBytes } from "node:crypto";
import { acceptAmount, acceptCurrency } from "./amounts.ts";
import { captureCharge, chargeFor, disputeCharge } from "./charges.ts";
import { asJson, behaviourOf, customerOf, declineOf, methodOf } from "./customers.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, StripeRefusal, unexpected } from "./refusal.ts";
import type { PaymentError, PaymentIntent, PaymentIntentStatus, PaymentMethod } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

function createIntent(call: Call): PaymentIntent {
  const { draft, parameters } = call;
  const amount = parameters.requiredInteger("amount");
  const currency = acceptCurrency(parameters.requiredText("currency"));
  acceptAmount(amount, currency);
  const confirm = parameters.flag("confirm");
  const offSession = parameters.flag("off_session");
  const intent = newIntent(call, { amount, currency });
  parameters.finish();
  if (offSession && !confirm)
    throw badParameter("off_session", "You can only set `off_session` when confirming a PaymentIntent.");
  draft.put(intent);
  draft.happened("payment_intent.created", intent);
  return confirm ? confirmWith(call, intent, offSession) : intent;
}

function newIntent(call: Call, price: { amount: number; currency: string }): PaymentIntent {
  const { draft, parameters } = call;
  const customer = parameters.text("customer");
  const method = parameters.text("payment_method");
  const allowed = parameters.list("allowed_payment_method_types");
  const types = [...allowed, ...parameters.list("payment_method_types")];
  const transfer = parameters.group("transfer_data");
  parameters.group("automatic_payment_methods");
  const id = stripeId("pi");
  return {
    id,
    object: "payment_intent",
    created: draft.now,
    livemode: false,
    ...price,
    amount_capturable: 0,
    amount_received: 0,
    application_fee_amount: parameters.integer("application_fee_amount") ?? null,
    automatic_payment_methods: null,
    canceled_at: null,
    cancellation_reason: null,
    capture_method:
      parameters.choice("capture_method", ["automatic", "automatic_async", "manual"]) ?? "automatic_async",
    client_secret: `${id}_secret_${randomBytes(12).toString("hex")}`,
    confirmation_method: "automatic",
    customer: customer === undefined ? null : customerOf(draft, customer).id,
    description: parameters.text("description") ?? null,
    last_payment_error: null,
    latest_charge: null,
    metadata: parameters.map("metadata"),
    next_action: null,
    on_behalf_of: parameters.text("on_behalf_of") ?? null,
    payment_method: method === undefined ? null : methodFor(draft, method, customer).id,
    allowed_payment_method_types: allowed.length === 0 ? null : allowed,
    payment_method_types: types.length === 0 ? ["card"] : types,
    setup_future_usage: null,
    statement_descriptor: parameters.text("statement_descriptor") ?? null,
    statement_descriptor_suffix: parameters.text("statement_descriptor_suffix") ?? null,
    status: method === undefined ? "requires_payment_method" : "requires_confirmation",
    transfer_data: typeof transfer?.destination === "string" ? { destination: transfer.destination } : null,
    transfer_group: parameters.text("transfer_group") ?? null,
  };
}

/** A saved method pays only for the customer to whom it belongs. */
function methodFor(draft: Draft, id: string, customer: string | undefined): PaymentMethod {
  const method = methodOf(draft, id);
  if (method.customer !== null && method.customer !== customer)
    throw badParameter(
      "payment_method",
      `The PaymentMethod ${method.id} does not belong to the Customer you supplied.`,
    );
  return method;
}

const confirmable: readonly PaymentIntentStatus[] = [
  "requires_payment_method",
  "requires_confirmation",
  "requires_action",
];

function confirmIntent(call: Call): PaymentIntent {
  const { draft, parameters } = call;
  const intent = intentOf(call);
  const given = parameters.text("payment_method");
  const offSession = parameters.flag("off_session");
  parameters.text("return_url");
  parameters.finish();
  if (!confirmable.includes(intent.status)) throw wrongState(intent, "confirm");
  const method =
    given === undefined ? intent.payment_method : methodFor(draft, given, intent.customer ?? undefined).id;
  if (method === null)
    throw unexpected(
      "payment_intent_unexpected_state",
      "You cannot confirm this PaymentIntent because it's missing a payment method.",
      { payment_intent: asJson(intent) },
    );
  return confirmWith(call, { ...intent, payment_method: method }, offSession);
}

function confirmWith(call: Call, intent: PaymentIntent, offSession: boolean): PaymentIntent {
  const { draft } = call;
  const method = methodOf(draft, intent.payment_method ?? "");
  const refused = refusalOf(call, method, offSession);
  if (refused === "requires_action") {
    const waiting: PaymentIntent = {
      ...intent,
      status: "requires_action",
      next_action: { type: "use_stripe_sdk", use_stripe_sdk: {} },
    };
    draft.put(waiting);
    draft.happened("payment_intent.requires_action", waiting);
    return waiting;
  }
  if (refused !== undefined) throw fail(draft, intent, refused);
  const charge = chargeFor(draft, intent);
  const held: PaymentIntent = {
    ...intent,
    latest_charge: charge.id,
    last_payment_error: null,
    next_action: null,
  };
  if (intent.capture_method !== "manual") return settle(draft, held, intent.amount);
  const capturable: PaymentIntent = { ...held, status: "requires_capture", amount_capturable: intent.amount };
  draft.put(capturable);
  draft.happened("payment_intent.amount_capturable_updated", capturable);
  return capturable;
}

function refusalOf(
  { forced }: Call,
  method: PaymentMethod,
  offSession: boolean,
): PaymentError | "requires_action" | undefined {
  const card = behaviourOf(method);
  if (forced !== undefined)
    return { ...declineOf(card, method), code: "card_declined", decline_code: forced.declineCode };
  if (card.declines !== undefined) return declineOf(card, method);
  const wanted =
    card.authentication === "always" || (card.authentication === "unless_set_up" && method.customer === null);
  if (!wanted) return undefined;
  if (!offSession) return "requires_action";
  return {
    type: "card_error",
    code: "authentication_required",
    decline_code: "authentication_required",
    message: "Your card was declined. This transaction requires authentication.",
    payment_method: asJson(method),
  };
}

function fail(draft: Draft, intent: PaymentIntent, error: PaymentError): StripeRefusal {
  const charge = chargeFor(draft, intent, error);
  const failed: PaymentIntent = {
    ...intent,
    status: "requires_payment_method",
    payment_method: null,
    latest_charge: charge.id,
    last_payment_error: error,
  };
  draft.put(failed);
  draft.happened("payment_intent.payment_failed", failed);
  return new StripeRefusal(402, { ...error, charge: charge.id, payment_intent: asJson(failed) });
}

function settle(draft: Draft, intent: PaymentIntent, amount: number): PaymentIntent {
  const charge = find(draft, "charge", intent.latest_charge ?? "");
  if (charge === undefined) throw noSuch("charge", intent.latest_charge ?? "");
  const captured = captureCharge(draft, charge, amount);
  const paid: PaymentIntent = {
    ...intent,
    status: "succeeded",
    amount_received: amount,
    amount_capturable: 0,
  };
  draft.put(paid);
  draft.happened("payment_intent.succeeded", paid);
  const method = find(draft, "payment_method", intent.payment_method ?? "");
  if (method !== undefined && behaviourOf(method).disputed === true) disputeCharge(draft, captured);
  return paid;
}

function captureIntent(call: Call): PaymentIntent {
  const { draft, parameters } = call;
  const intent = intentOf(call);
  const amount = parameters.integer("amount_to_capture") ?? intent.amount_capturable;
  const fee = parameters.integer("application_fee_amount");
  const metadata = parameters.map("metadata");
  parameters.finish();
  if (intent.status !== "requires_capture") throw wrongState(intent, "capture");
  if (amount < 1 || amount > intent.amount_capturable)
    throw badParameter(
      "amount_to_capture",
      `Amount to capture (${amount}) must be between 1 and the capturable amount (${intent.amount_capturable}).`,
      "amount_too_large",
    );
  const withFee = {
    ...intent,
    metadata: { ...intent.metadata, ...metadata },
    application_fee_amount: fee ?? intent.application_fee_amount,
  };
  return settle(draft, withFee, amount);
}

function cancelIntent(call: Call): PaymentIntent {
  const { draft, parameters } = call;
  const intent = intentOf(call);
  const reason =
    parameters.choice("cancellation_reason", [
      "duplicate",
      "fraudulent",
      "requested_by_customer",
      "abandoned",
    ]) ?? null;
  parameters.finish();
  if (intent.status === "succeeded" || intent.status === "canceled") throw wrongState(intent, "cancel");
  const canceled: PaymentIntent = {
    ...intent,
    status: "canceled",
    canceled_at: draft.now,
    cancellation_reason: reason,
    amount_capturable: 0,
    next_action: null,
  };
  draft.put(canceled);
  draft.happened("payment_intent.canceled", canceled);
  return canceled;
}

const wrongState = (intent: PaymentIntent, verb: string): StripeRefusal =>
  unexpected(
    "payment_intent_unexpected_state",
    `You cannot ${verb} this PaymentIntent because it has a status of ${intent.status}.`,
    { payment_intent: asJson(intent) },
  );

function intentOf({ draft, path }: Call): PaymentIntent {
  const found = find(draft, "payment_intent", path[0] ?? "");
  if (found === undefined) throw noSuch("payment_intent", path[0] ?? "");
  return found;
}

function readIntent(call: Call): PaymentIntent {
  call.parameters.finish();
  return intentOf(call);
}

function listIntents(call: Call) {
  const customer = call.parameters.text("customer");
  const page = pageOf(call, {
    object: "payment_intent",
    url: "/v1/payment_intents",
    keep: (intent) => customer === undefined || intent.customer === customer,
  });
  call.parameters.finish();
  return page;
}

// biome-ignore format: a table of routes reads best one per line
export const paymentIntentOperations: readonly Operation[] = [
  { name: "payment_intents.create", method: "POST", path: /^\/v1\/payment_intents$/, run: createIntent },
  { name: "payment_intents.list", method: "GET", path: /^\/v1\/payment_intents$/, run: listIntents },
  { name: "payment_intents.retrieve", method: "GET", path: /^\/v1\/payment_intents\/(\w+)$/, run: readIntent },
  { name: "payment_intents.confirm", method: "POST", path: /^\/v1\/payment_intents\/(\w+)\/confirm$/, run: confirmIntent },
  { name: "payment_intents.capture", method: "POST", path: /^\/v1\/payment_intents\/(\w+)\/capture$/, run: captureIntent },
  { name: "payment_intents.cancel", method: "POST", path: /^\/v1\/payment_intents\/(\w+)\/cancel$/, run: cancelIntent },
];
