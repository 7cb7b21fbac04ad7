import { processingFee } from "./amounts.ts";
import { book, settled } from "./balance.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, unexpected } from "./refusal.ts";
import type { Charge, PaymentError, PaymentIntent, Refund, ResourceName, ResourceOf } from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";
import { directFee, type GivenBack, giveBack, passOn } from "./transfers.ts";

/** The attempt on a card that a PaymentIntent makes: approved, or failed with an error. */
export function chargeFor(draft: Draft, intent: PaymentIntent, failure?: PaymentError): Charge {
  const charge: Charge = {
    id: stripeId("ch"),
    object: "charge",
    created: draft.now,
    livemode: false,
    amount: intent.amount,
    amount_captured: 0,
    amount_refunded: 0,
    application_fee: null,
    balance_transaction: null,
    captured: false,
    currency: intent.currency,
    customer: intent.customer,
    dispute: null,
    disputed: false,
    failure_code: failure?.code ?? null,
    failure_message: failure?.message ?? null,
    metadata: intent.metadata,
    outcome: { network_status: failure === undefined ? "approved_by_network" : "declined_by_network" },
    paid: failure === undefined,
    payment_intent: intent.id,
    payment_method: intent.payment_method,
    refunded: false,
    status: failure === undefined ? "succeeded" : "failed",
    transfer: null,
  };
  draft.put(charge);
  draft.happened(failure === undefined ? "charge.succeeded" : "charge.failed", charge);
  return charge;
}

/** Takes the money of an authorised charge, books it, and passes on what is a connected account's. */
export function captureCharge(draft: Draft, charge: Charge, intent: PaymentIntent): Charge {
  const { amount_received: amount, currency } = intent;
  const kept = processingFee(settled(draft, { amount, currency }).amount);
  const booked = book(draft, {
    amount,
    currency,
    type: "charge",
    source: charge.id,
    fees: [{ amount: kept, type: "stripe_fee" }, ...directFee(draft, intent)],
  });
  const captured: Charge = {
    ...charge,
    captured: true,
    amount_captured: amount,
    balance_transaction: booked.id,
    ...passOn(draft, charge, intent),
  };
  draft.put(captured);
  draft.happened("charge.captured", captured);
  return captured;
}

function createRefund({ draft, parameters, forced }: Call): Refund {
  const charge = chargeToRefund(draft, parameters.text("payment_intent"), parameters.text("charge"));
  const left = charge.amount_captured - charge.amount_refunded;
  const amount = parameters.integer("amount") ?? left;
  const reason = parameters.choice("reason", ["duplicate", "fraudulent", "requested_by_customer"]) ?? null;
  const metadata = parameters.map("metadata");
  const back: GivenBack = {
    transfer: parameters.flag("reverse_transfer"),
    fee: parameters.flag("refund_application_fee"),
  };
  parameters.finish();
  if (charge.disputed && find(draft, "dispute", charge.dispute ?? "")?.is_charge_refundable === false)
    throw unexpected("charge_disputed", `Charge ${charge.id} has been charged back; cannot issue a refund.`, {
      charge: charge.id,
    });
  if (left === 0)
    throw unexpected("charge_already_refunded", `Charge ${charge.id} has already been refunded.`, {
      charge: charge.id,
    });
  if (amount < 1 || amount > left)
    throw badParameter(
      "amount",
      `Refund amount (${amount}) is greater than unrefunded amount on charge (${left})`,
      "amount_too_large",
    );
  const of = { amount, reason, metadata };
  if (forced !== undefined) return refusedRefund(draft, charge, { of, back, because: forced.declineCode });
  return refund(draft, charge, { of, back });
}

/** The bank does not take a refund at all: it is never booked, and what it took back from a connected account stays with us. */
function refusedRefund(
  draft: Draft,
  charge: Charge,
  { of, back, because }: Refunding & { readonly because: string },
): Refund {
  const id = stripeId("re");
  const made: Refund = {
    ...refundOf(draft, charge, of),
    id,
    balance_transaction: null,
    failure_reason: because,
    status: "failed",
    transfer_reversal: giveBack(draft, charge, { refund: id, amount: of.amount, back }),
  };
  draft.put(made);
  draft.happened("refund.created", made);
  draft.happened("refund.failed", made);
  return made;
}

type Refunding = { readonly of: Pick<Refund, "amount" | "reason" | "metadata">; readonly back: GivenBack };

/** What is the same of all refunds. */
const refundOf = (draft: Draft, charge: Charge, of: Refunding["of"]) => ({
  object: "refund" as const,
  created: draft.now,
  livemode: false as const,
  ...of,
  charge: charge.id,
  currency: charge.currency,
  failure_balance_transaction: null,
  payment_intent: charge.payment_intent,
});

function refund(draft: Draft, charge: Charge, { of, back }: Refunding): Refund {
  const id = stripeId("re");
  const { currency } = charge;
  const booked = book(draft, { amount: -of.amount, currency, type: "refund", source: id });
  const made: Refund = {
    ...refundOf(draft, charge, of),
    id,
    balance_transaction: booked.id,
    failure_reason: null,
    status: "succeeded",
    transfer_reversal: giveBack(draft, charge, { refund: id, amount: of.amount, back }),
  };
  const refunded = charge.amount_refunded + of.amount;
  const after: Charge = {
    ...charge,
    amount_refunded: refunded,
    refunded: refunded === charge.amount_captured,
  };
  draft.put(made);
  draft.put(after);
  draft.happened("refund.created", made);
  draft.happened("charge.refunded", after);
  return made;
}

/**
 * The bank sends back a refund that it had accepted: the money is on our balance again, and the charge counts it no more. What the
 * refund had taken back from a connected account stays with us.
 */
export function failRefund(draft: Draft, id: string, reason: string): Refund {
  const made = find(draft, "refund", id);
  const charge = find(draft, "charge", made?.charge ?? "");
  if (made?.status !== "succeeded" || charge === undefined) throw noSuch("refund that has succeeded", id);
  const { amount, currency } = made;
  const booked = book(draft, { amount, currency, type: "refund_failure", source: id });
  const failed: Refund = {
    ...made,
    failure_balance_transaction: booked.id,
    failure_reason: reason,
    status: "failed",
  };
  const after: Charge = {
    ...charge,
    amount_refunded: charge.amount_refunded - amount,
    refunded: false,
  };
  draft.put(failed);
  draft.put(after);
  for (const type of ["refund.updated", "refund.failed", "charge.refund.updated"])
    draft.happened(type, failed);
  return failed;
}

function chargeToRefund(draft: Draft, intentId: string | undefined, chargeId: string | undefined): Charge {
  const intent = intentId === undefined ? undefined : find(draft, "payment_intent", intentId);
  if (intentId !== undefined && intent === undefined)
    throw noSuch("payment_intent", intentId, "payment_intent");
  const id = intent?.latest_charge ?? chargeId;
  if (id === undefined) throw badParameter("charge", "You must provide one of charge or payment_intent.");
  const charge = find(draft, "charge", id);
  if (charge === undefined) throw noSuch("charge", id, "charge");
  if (!charge.captured)
    throw unexpected(
      "charge_not_refundable",
      "This charge has not been captured; cancel its PaymentIntent instead.",
      { charge: id },
    );
  return charge;
}

type OfIntent = "charge" | "refund";

const listBy = (object: OfIntent, url: string) => (call: Call) => {
  const intent = call.parameters.text("payment_intent");
  const keep = (it: ResourceOf<OfIntent>): boolean => intent === undefined || it.payment_intent === intent;
  const page = pageOf(call, { object, url, keep });
  call.parameters.finish();
  return page;
};

const one = (object: ResourceName) => (call: Call) => {
  call.parameters.finish();
  const found = find(call.draft, object, call.path[0] ?? "");
  if (found === undefined) throw noSuch(object, call.path[0] ?? "");
  return found;
};

const listAll = (object: ResourceName, url: string) => (call: Call) => {
  const page = pageOf(call, { object, url });
  call.parameters.finish();
  return page;
};

// biome-ignore format: a table of routes reads best one per line
export const chargeOperations: readonly Operation[] = [
  { name: "charges.retrieve", method: "GET", path: /^\/v1\/charges\/(\w+)$/, run: one("charge") },
  { name: "charges.list", method: "GET", path: /^\/v1\/charges$/, run: listBy("charge", "/v1/charges") },
  { name: "refunds.create", method: "POST", path: /^\/v1\/refunds$/, run: createRefund },
  { name: "refunds.retrieve", method: "GET", path: /^\/v1\/refunds\/(\w+)$/, run: one("refund") },
  { name: "refunds.list", method: "GET", path: /^\/v1\/refunds$/, run: listBy("refund", "/v1/refunds") },
  { name: "balance_transactions.retrieve", method: "GET", path: /^\/v1\/balance_transactions\/(\w+)$/, run: one("balance_transaction") },
  { name: "balance_transactions.list", method: "GET", path: /^\/v1\/balance_transactions$/, run: listAll("balance_transaction", "/v1/balance_transactions") },
  { name: "disputes.retrieve", method: "GET", path: /^\/v1\/disputes\/(\w+)$/, run: one("dispute") },
  { name: "disputes.list", method: "GET", path: /^\/v1\/disputes$/, run: listAll("dispute", "/v1/disputes") },
  { name: "events.retrieve", method: "GET", path: /^\/v1\/events\/(\w+)$/, run: one("event") },
  { name: "events.list", method: "GET", path: /^\/v1\/events$/, run: listAll("event", "/v1/events") },
];
