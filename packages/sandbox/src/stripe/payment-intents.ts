import { randomBytes } from "node:crypto";
import { acceptAmount, acceptCurrency } from "./amounts.ts";
import { captureCharge, chargeFor } from "./charges.ts";
import { acceptDestination, accountOf } from "./connect-accounts.ts";
import { asJson, behaviourOf, customerOf, declineOf, methodOf } from "./customers.ts";
import { disputeCharge } from "./disputes.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { type Parameters, parametersOf } from "./parameters.ts";
import { badParameter, noSuch, StripeRefusal, unexpected } from "./refusal.ts";
import type {
  Json,
  PaymentError,
  PaymentIntent,
  PaymentIntentStatus,
  PaymentMethod,
  SharedToken,
} from "./resources.ts";
import { acceptSpending, freeOn, holdOn, methodBehind, tokenIn } from "./shared-tokens.ts";
import { type Draft, find, stripeId } from "./store.ts";

function createIntent(call: Call): PaymentIntent {
  const { draft, parameters } = call;
  const amount = parameters.requiredInteger("amount");
  const currency = acceptCurrency(parameters.requiredText("currency"));
  acceptAmount(amount, currency);
  const confirm = parameters.flag("confirm");
  const offSession = parameters.flag("off_session");
  const token = tokenIn(call);
  parameters.text("return_url");
  const intent = newIntent(call, { amount, currency, token });
  parameters.finish();
  acceptConnect(draft, intent);
  if (token !== undefined && !confirm)
    throw badParameter("confirm", "A shared payment token can only be used when confirming a PaymentIntent.");
  if (token !== undefined) acceptSpending(token, intent);
  if (offSession && !confirm)
    throw badParameter("off_session", "You can only set `off_session` when confirming a PaymentIntent.");
  draft.put(intent);
  draft.happened("payment_intent.created", intent);
  return confirm ? confirmWith(call, intent, offSession) : intent;
}

type Wanted = { readonly amount: number; readonly currency: string; readonly token: SharedToken | undefined };

function newIntent(call: Call, { token, ...price }: Wanted): PaymentIntent {
  const { draft, parameters } = call;
  const customer = parameters.text("customer");
  const given = parameters.text("payment_method");
  if (token !== undefined && given !== undefined)
    throw badParameter("payment_method", "You may only specify a payment method or a shared payment token.");
  const method = given ?? (token === undefined ? undefined : methodBehind(draft, token).id);
  const allowed = parameters.list("allowed_payment_method_types");
  const types = [...allowed, ...parameters.list("payment_method_types")];
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
    automatic_payment_methods: automaticIn(parameters),
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
    shared_payment_granted_token: token?.id ?? null,
    statement_descriptor: parameters.text("statement_descriptor") ?? null,
    statement_descriptor_suffix: parameters.text("statement_descriptor_suffix") ?? null,
    status: method === undefined ? "requires_payment_method" : "requires_confirmation",
    transfer_data: transferIn(parameters),
    transfer_group: parameters.text("transfer_group") ?? null,
  };
}

function automaticIn(parameters: Parameters): Json {
  const group = parameters.group("automatic_payment_methods");
  if (group === undefined) return null;
  const read = parametersOf(group);
  const automatic = {
    enabled: read.flag("enabled"),
    allow_redirects: read.choice("allow_redirects", ["always", "never"]) ?? "always",
  };
  read.finish();
  return automatic;
}

function transferIn(parameters: Parameters): PaymentIntent["transfer_data"] {
  const group = parameters.group("transfer_data");
  if (group === undefined) return null;
  const read = parametersOf(group);
  const destination = read.requiredText("destination");
  const amount = read.integer("amount");
  read.finish();
  return { destination, ...(amount === undefined ? {} : { amount }) };
}

/** The platform's fee and the merchant's money go only where there is a merchant, and are never more than was paid. */
function acceptConnect(draft: Draft, intent: PaymentIntent): void {
  const { transfer_data: transfer, application_fee_amount: fee, on_behalf_of: behalf, amount } = intent;
  if (transfer !== null) acceptDestination(draft, transfer.destination, "transfer_data[destination]");
  if (behalf !== null) accountOf(draft, behalf, "on_behalf_of");
  if ((transfer?.amount ?? 0) > amount)
    throw badParameter("transfer_data[amount]", "The transfer cannot be more than the payment.");
  if (fee === null) return;
  if (transfer === null && draft.account === null)
    throw badParameter(
      "application_fee_amount",
      "Can only apply an application_fee_amount to a connected account.",
    );
  if (transfer?.amount !== undefined)
    throw badParameter("application_fee_amount", "Cannot be set together with transfer_data[amount].");
  if (fee < 0 || fee > amount)
    throw badParameter("application_fee_amount", "The fee must be between 0 and the amount of the payment.");
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
  return accepted(draft, intent);
}

/**
 * The cardholder has confirmed in a browser of their own: the card that was refused without them is tried with them.
 * Undefined when the payment waits for nobody.
 */
export function confirmedByHolder(draft: Draft, intent: PaymentIntent): PaymentIntent | undefined {
  const error = intent.last_payment_error;
  const wasRefused = intent.status === "requires_payment_method" && error?.code === "authentication_required";
  if (intent.status !== "requires_action" && !wasRefused) return undefined;
  const method = intent.payment_method ?? String(Object(error?.payment_method).id);
  return accepted(draft, { ...intent, payment_method: method });
}

/** The card was good: what is to be captured by itself is. */
export function accepted(draft: Draft, intent: PaymentIntent): PaymentIntent {
  const charge = chargeFor(draft, intent);
  holdOn(draft, intent);
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
  const paid: PaymentIntent = {
    ...intent,
    status: "succeeded",
    amount_received: amount,
    amount_capturable: 0,
  };
  const captured = captureCharge(draft, charge, paid);
  freeOn(draft, paid, amount);
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
    application_fee_amount: feeWithin(fee ?? intent.application_fee_amount, amount),
  };
  return settle(draft, withFee, amount);
}

/** A fee that was agreed on the whole is never more than the part that is captured. */
const feeWithin = (fee: number | null, captured: number): number | null =>
  fee === null ? null : Math.min(fee, captured);

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
  if (intent.status === "requires_capture") freeOn(draft, intent, 0);
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
