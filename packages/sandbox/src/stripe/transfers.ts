import { acceptCurrency } from "./amounts.ts";
import { type BookedFee, book, settled } from "./balance.ts";
import { acceptDestination } from "./connect-accounts.ts";
import { pageOf } from "./listing.ts";
import type { Call, Operation } from "./operation.ts";
import { badParameter, noSuch, unexpected } from "./refusal.ts";
import type {
  ApplicationFee,
  Charge,
  Metadata,
  PaymentIntent,
  Transfer,
  TransferReversal,
} from "./resources.ts";
import { type Draft, find, stripeId } from "./store.ts";

/** What of a refund comes back from the connected account. */
export type GivenBack = { readonly transfer: boolean; readonly fee: boolean };

/** A direct charge pays the platform's fee out of the connected account's own balance. */
export const directFee = (draft: Draft, intent: PaymentIntent): readonly BookedFee[] =>
  draft.account === null || intent.application_fee_amount === null
    ? []
    : [{ amount: intent.application_fee_amount, type: "application_fee" }];

/** What a captured charge moves on: its money to the destination, and the platform's fee back from there. */
export function passOn(
  draft: Draft,
  charge: Charge,
  intent: PaymentIntent,
): Pick<Charge, "application_fee" | "transfer"> {
  const to = intent.transfer_data?.destination ?? draft.account;
  if (to === null) return { application_fee: null, transfer: null };
  const fee = intent.application_fee_amount ?? 0;
  const taken = fee === 0 ? null : takeFee(draft, charge, { account: to, amount: fee }).id;
  if (intent.transfer_data === null) return { application_fee: taken, transfer: null };
  // What goes on is what was settled: a transfer is in the currency of the balance.
  const { currency } = charge;
  const passed = settled(draft, { amount: intent.transfer_data.amount ?? intent.amount_received, currency });
  const transfer = send(draft, {
    amount: passed.amount,
    currency: passed.currency,
    destination: to,
    description: null,
    metadata: {},
    source_transaction: charge.id,
    transfer_group: intent.transfer_group ?? `group_${intent.id}`,
    fee: settled(draft, { amount: fee, currency }).amount,
  });
  return { application_fee: taken, transfer: transfer.id };
}

function takeFee(
  draft: Draft,
  charge: Charge,
  { account, amount }: { account: string; amount: number },
): ApplicationFee {
  const id = stripeId("fee");
  const { currency } = charge;
  const booked = book(draft, { amount, currency, type: "application_fee", source: id, account: null });
  const fee: ApplicationFee = {
    id,
    object: "application_fee",
    created: draft.now,
    livemode: false,
    account,
    amount,
    amount_refunded: 0,
    balance_transaction: booked.id,
    charge: charge.id,
    currency,
    refunded: false,
    _account: null,
  };
  draft.put(fee);
  draft.happened("application_fee.created", fee);
  return fee;
}

type Sent = Pick<
  Transfer,
  "amount" | "currency" | "description" | "destination" | "metadata" | "source_transaction" | "transfer_group"
> & { readonly fee: number };

function send(draft: Draft, { fee, ...of }: Sent): Transfer {
  const id = stripeId("tr");
  const { amount, currency, destination: account } = of;
  const payment = stripeId("py");
  const booked = book(draft, { amount: -amount, currency, type: "transfer", source: id });
  const fees = [{ amount: fee, type: "application_fee" as const }];
  book(draft, { amount, currency, type: "payment", source: payment, fees, account });
  const transfer: Transfer = {
    id,
    object: "transfer",
    created: draft.now,
    livemode: false,
    ...of,
    amount_reversed: 0,
    balance_transaction: booked.id,
    destination_payment: payment,
    reversed: false,
  };
  draft.put(transfer);
  draft.happened("transfer.created", transfer);
  return transfer;
}

/** Takes back of a refunded charge's transfer and fee what is in proportion to the refund; the transfer's reversal. */
export function giveBack(
  draft: Draft,
  charge: Charge,
  { refund, amount, back }: { refund: string; amount: number; back: GivenBack },
): string | null {
  const part = (whole: number): number => Math.floor((whole * amount) / charge.amount_captured);
  if (back.fee) {
    const fee = find(draft, "application_fee", charge.application_fee ?? "");
    if (fee === undefined)
      throw badParameter("refund_application_fee", "This charge has no application fee.");
    refundFee(draft, fee, Math.min(part(fee.amount), fee.amount - fee.amount_refunded));
  }
  if (!back.transfer) return null;
  const transfer = find(draft, "transfer", charge.transfer ?? "");
  if (transfer === undefined)
    throw badParameter(
      "reverse_transfer",
      "Cannot reverse transfer: this charge has no associated transfer.",
    );
  const left = transfer.amount - transfer.amount_reversed;
  const of = { amount: Math.min(part(transfer.amount), left), metadata: {}, source_refund: refund };
  return reverse(draft, transfer, of).id;
}

function refundFee(draft: Draft, fee: ApplicationFee, amount: number): void {
  const back = { amount: -amount, currency: fee.currency, source: fee.id };
  const { amount: out, currency } = book(draft, { ...back, type: "application_fee_refund" });
  const given = book(draft, {
    amount: -out,
    currency,
    type: "adjustment",
    source: fee.id,
    account: fee.account,
  });
  const refunded = fee.amount_refunded + amount;
  const after: ApplicationFee = { ...fee, amount_refunded: refunded, refunded: refunded === fee.amount };
  draft.put(after);
  draft.put(given);
  draft.happened("application_fee.refunded", after);
}

function reverse(
  draft: Draft,
  transfer: Transfer,
  of: { amount: number; metadata: Metadata; source_refund: string | null },
): TransferReversal {
  const id = stripeId("trr");
  const { currency, destination: account } = transfer;
  const booked = book(draft, { amount: of.amount, currency, type: "transfer_refund", source: id });
  const source = transfer.destination_payment;
  book(draft, { amount: -of.amount, currency, type: "payment_refund", source, account });
  const made: TransferReversal = {
    id,
    object: "transfer_reversal",
    created: draft.now,
    livemode: false,
    ...of,
    balance_transaction: booked.id,
    currency,
    transfer: transfer.id,
  };
  const reversed = transfer.amount_reversed + of.amount;
  const after: Transfer = { ...transfer, amount_reversed: reversed, reversed: reversed === transfer.amount };
  draft.put(made);
  draft.put(after);
  draft.happened("transfer.reversed", after);
  return made;
}

function createTransfer({ draft, parameters }: Call): Transfer {
  const amount = parameters.requiredInteger("amount");
  const currency = acceptCurrency(parameters.requiredText("currency"));
  const destination = parameters.requiredText("destination");
  const source = parameters.text("source_transaction");
  const of: Sent = {
    amount,
    currency,
    destination,
    description: parameters.text("description") ?? null,
    metadata: parameters.map("metadata"),
    source_transaction: source ?? null,
    transfer_group: parameters.text("transfer_group") ?? null,
    fee: 0,
  };
  parameters.finish();
  if (amount < 1) throw badParameter("amount", "Invalid positive integer", "parameter_invalid_integer");
  acceptDestination(draft, destination, "destination");
  if (settled(draft, { amount, currency }).exchange_rate !== null)
    throw unexpected("balance_insufficient", `There is no balance in ${currency} to transfer from.`);
  if (source !== undefined) acceptSource(draft, source, of);
  return send(draft, of);
}

/** Transfers out of one charge never sum up to more than it. */
function acceptSource(draft: Draft, source: string, { amount, currency }: Sent): void {
  const charge = find(draft, "charge", source);
  if (charge === undefined) throw noSuch("charge", source, "source_transaction");
  const sent = draft
    .stored("transfer")
    .filter((transfer) => transfer.source_transaction === source)
    .reduce((sum, transfer) => sum + transfer.amount - transfer.amount_reversed, 0);
  if (charge.currency !== currency || !charge.captured || sent + amount > charge.amount_captured)
    throw unexpected(
      "transfer_source_balance_insufficient",
      `The transfers of ${source} cannot exceed its amount.`,
      { param: "source_transaction" },
    );
}

function createReversal(call: Call): TransferReversal {
  const { draft, parameters } = call;
  const transfer = transferOf(call);
  const left = transfer.amount - transfer.amount_reversed;
  const amount = parameters.integer("amount") ?? left;
  const metadata = parameters.map("metadata");
  const withFee = parameters.flag("refund_application_fee");
  parameters.finish();
  if (left === 0) throw unexpected("transfer_reversed", `Transfer ${transfer.id} is already fully reversed.`);
  if (amount < 1 || amount > left)
    throw badParameter("amount", `Transfer amount (${left}) is less than ${amount}.`, "amount_too_large");
  if (withFee) refundFeeOf(draft, transfer, amount);
  return reverse(draft, transfer, { amount, metadata, source_refund: null });
}

function refundFeeOf(draft: Draft, transfer: Transfer, amount: number): void {
  const charge = find(draft, "charge", transfer.source_transaction ?? "");
  const fee = find(draft, "application_fee", charge?.application_fee ?? "");
  if (fee === undefined)
    throw badParameter("refund_application_fee", "This transfer has no application fee.");
  const part = Math.floor((fee.amount * amount) / transfer.amount);
  refundFee(draft, fee, Math.min(part, fee.amount - fee.amount_refunded));
}

function transferOf({ draft, path }: Call): Transfer {
  const found = find(draft, "transfer", path[0] ?? "");
  if (found === undefined) throw noSuch("transfer", path[0] ?? "");
  return found;
}

function readTransfer(call: Call): Transfer {
  call.parameters.finish();
  return transferOf(call);
}

function listTransfers(call: Call) {
  const destination = call.parameters.text("destination");
  const group = call.parameters.text("transfer_group");
  const page = pageOf(call, {
    object: "transfer",
    url: "/v1/transfers",
    keep: (transfer) =>
      (destination ?? transfer.destination) === transfer.destination &&
      (group === undefined || transfer.transfer_group === group),
  });
  call.parameters.finish();
  return page;
}

function listReversals(call: Call) {
  const { id } = transferOf(call);
  const url = `/v1/transfers/${id}/reversals`;
  const page = pageOf(call, { object: "transfer_reversal", url, keep: ({ transfer }) => transfer === id });
  call.parameters.finish();
  return page;
}

function listFees(call: Call) {
  const charge = call.parameters.text("charge");
  const page = pageOf(call, {
    object: "application_fee",
    url: "/v1/application_fees",
    keep: (fee) => (charge ?? fee.charge) === fee.charge,
  });
  call.parameters.finish();
  return page;
}

// biome-ignore format: a table of routes reads best one per line
export const transferOperations: readonly Operation[] = [
  { name: "transfers.create", method: "POST", path: /^\/v1\/transfers$/, run: createTransfer },
  { name: "transfers.list", method: "GET", path: /^\/v1\/transfers$/, run: listTransfers },
  { name: "transfers.retrieve", method: "GET", path: /^\/v1\/transfers\/(\w+)$/, run: readTransfer },
  { name: "transfer_reversals.create", method: "POST", path: /^\/v1\/transfers\/(\w+)\/reversals$/, run: createReversal },
  { name: "transfer_reversals.list", method: "GET", path: /^\/v1\/transfers\/(\w+)\/reversals$/, run: listReversals },
  { name: "application_fees.list", method: "GET", path: /^\/v1\/application_fees$/, run: listFees },
];
