import { type Asset, type Id, type Instant, type Money, newId } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import type { TermsInForce } from "../fees/index.ts";
import { type Leg, type MerchantOwner, pairOf } from "./chart.ts";

export type EntryKind =
  | "capture"
  | "refund"
  | "dispute"
  | "booking"
  | "payout"
  | "reversal"
  | "transfer"
  | "invoice"
  | "invoice_payment"
  | "plan";

/**
 * One posting to the books. (object, transition, ordinal) says what happened, once, whatever brought the news: an object
 * is a payment, a refund, or a balance transaction of Stripe.
 */
export type Entry = {
  readonly id: Id<"entry">;
  readonly kind: EntryKind;
  readonly object: string;
  readonly transition: string;
  readonly ordinal: number;
  readonly charge: Id<"charge"> | null;
  readonly reverses: Id<"entry"> | null;
  readonly at: Instant;
  /** Whose capture or refund it is, also where nothing of it is left for the merchant. */
  readonly owner?: MerchantOwner;
  /** By which rail a capture came, and the terms of its fee. */
  readonly rail?: string;
  readonly fee?: { readonly schedule: string; readonly from: string };
  readonly legs: readonly Leg[];
};

export type Paid = {
  readonly charge: Id<"charge">;
  readonly owner: MerchantOwner;
  readonly at: Instant;
};

export type Capture = Paid & {
  readonly payment: Id<"payment">;
  readonly rail: string;
  readonly captured: Money;
  readonly fee: Money;
  readonly terms: Pick<TermsInForce, "schedule" | "fromVolume" | "collection">;
};

/**
 * A captured payment, until Stripe has booked it: owed to the merchant but for a fee that is withheld; owed to it in full
 * where it is asked for the fee by invoice.
 */
export function captureEntry({ captured, fee, owner, terms, ...paid }: Capture): Entry {
  const asset = captured.asset.code;
  const withheld = terms.collection === "withheld" ? fee.units : 0n;
  const entry = entryOf("capture", { ...paid, object: paid.payment, transition: "captured" }, [
    { code: "card_clearing", asset, units: captured.units },
    { code: "merchant_payable", owner, asset, units: withheld - captured.units },
    { code: "merchant_receivable", owner, asset, units: fee.units - withheld },
    { code: "platform_fees", asset, units: -fee.units },
  ]);
  return {
    ...entry,
    owner,
    rail: paid.rail,
    fee: { schedule: terms.schedule, from: String(terms.fromVolume) },
  };
}

/** What of a capture is the merchant's has gone on to its own account: nothing of it is owed any more. */
export function passedOnEntries(
  { owner, payment, ...paid }: Paid & { readonly payment: Id<"payment"> },
  capture: Entry,
): Entry[] {
  const owed = capture.legs.filter(({ code }) => code === "merchant_payable");
  // A fee that is all of it leaves nothing to go on.
  if (owed.length === 0) return [];
  const entry = entryOf(
    "transfer",
    { ...paid, object: payment, transition: "passed_on" },
    owed.flatMap(({ asset, units }): Leg[] => [
      { code: "merchant_payable", owner, asset, units: -units },
      { code: "transfer_clearing", asset, units },
    ]),
  );
  return [{ ...entry, owner }];
}

/** What a refund gave back has come back from the merchant's own account. */
export const takenBackEntry = ({
  refund,
  refunded,
  ...paid
}: Paid & { readonly refund: Id<"refund">; readonly refunded: Money }): Entry =>
  transferredEntry(paid, { transfer: refund, way: "back", amount: refunded });

/** What has come back from the merchant's own account, or gone on to it. */
export function transferredEntry(
  { owner, charge, at }: Paid,
  of: { readonly transfer: string; readonly way: "back" | "on"; readonly amount: Money },
): Entry {
  const asset = of.amount.asset.code;
  const units = of.way === "on" ? of.amount.units : -of.amount.units;
  const transition = of.way === "on" ? "passed_on" : "taken_back";
  const entry = entryOf("transfer", { object: of.transfer, transition, charge, at }, [
    { code: "merchant_payable", owner, asset, units },
    { code: "transfer_clearing", asset, units: -units },
  ]);
  return { ...entry, owner };
}

/** A refund is the merchant's to bear in full; the fee for having captured stays. */
export function refundEntry(paid: Paid & { refund: Id<"refund">; refunded: Money }): Entry {
  const { refunded, owner } = paid;
  const asset = refunded.asset.code;
  const entry = entryOf("refund", { ...paid, object: paid.refund, transition: "refunded" }, [
    { code: "merchant_payable", owner, asset, units: refunded.units },
    { code: "card_clearing", asset, units: -refunded.units },
  ]);
  return { ...entry, owner };
}

/** A refund that its bank has sent back: what it posted is taken back, once. */
export function refundFailedEntry(
  paid: Paid & { refund: Id<"refund">; refunded: Money },
  reverses: Id<"entry">,
): Entry {
  const made = refundEntry(paid);
  const legs = made.legs.map((leg) => ({ ...leg, units: -leg.units }));
  return { ...made, transition: "failed", reverses, legs };
}

/** A movement of our balance at Stripe: which way, and which clearing account it empties. */
export type Booked = Booking & {
  readonly direction: "into" | "out_of";
  /** What was moved by our own books: in another asset than the booking where Stripe has converted it. */
  readonly nominal: Money;
  readonly clears: "card_clearing" | "payout_clearing" | "tenant_receivable" | "transfer_clearing";
};

/** What Stripe has booked on our balance, and what it kept for it. */
export function bookingEntry(
  { charge, at }: { readonly charge: Id<"charge"> | null; readonly at: Instant },
  { id, direction, clears, ...booking }: Booked,
): Entry {
  const legs = bookedLegs(clears, direction === "into" ? 1n : -1n, booking);
  return entryOf("booking", { charge, at, object: id, transition: "booked" }, legs);
}

/**
 * A movement of our balance against the account that it empties. Where Stripe has converted it, that account is emptied of what
 * our own books say, in their asset, and the balance moves by what Stripe says, in its own: both meet in `fx`, so that each asset
 * sums to nothing by itself, and what a refund costs more than its capture has brought stays to be seen there.
 */
export function bookedLegs(
  clears: Booked["clears"] | "dispute_reserve",
  sign: 1n | -1n,
  { amount, fee, nominal }: Pick<Booked, "amount" | "fee" | "nominal">,
): Leg[] {
  const [asset, from] = [amount.asset.code, nominal.asset.code];
  const moved = sign * amount.units;
  const kept: Leg[] = [
    { code: "processor_fees", asset, units: fee.units },
    { code: "stripe_balance", asset, units: moved - fee.units },
  ];
  // Not the nominal amount: where Stripe has booked another one of the same asset, the difference waits where it can be seen.
  if (from === asset) return [{ code: clears, asset, units: -moved }, ...kept];
  const [pair, cleared] = [pairOf(asset, from), sign * nominal.units];
  return [
    { code: clears, asset: from, units: -cleared },
    { code: "fx", pair, asset: from, units: cleared },
    { code: "fx", pair, asset, units: -moved },
    ...kept,
  ];
}

type Invoiced = { readonly invoice: Id<"invoice">; readonly asset: Asset; readonly owner: MerchantOwner };

/** The tax of an invoice: the merchant owes it to us, and we to the state. The fees were posted with their captures. */
export const invoiceEntry = (
  { invoice, asset: { code: asset }, owner }: Invoiced,
  tax: bigint,
  at: Instant,
): Entry =>
  entryOf("invoice", { object: invoice, transition: "issued", charge: null, at }, [
    { code: "merchant_receivable", owner, asset, units: tax },
    { code: "tax_payable", asset, units: -tax },
  ]);

/** The money of an invoice has arrived. */
export const invoicePaidEntry = (
  { invoice, asset: { code: asset }, owner }: Invoiced,
  paid: bigint,
  at: Instant,
): Entry =>
  entryOf("invoice_payment", { object: invoice, transition: "paid", charge: null, at }, [
    { code: "bank", asset, units: paid },
    { code: "merchant_receivable", owner, asset, units: -paid },
  ]);

/** An entry is never changed: this one takes it back. */
export const reversalOf = (entry: Entry, at: Instant): Entry => ({
  ...entry,
  id: newId("entry"),
  kind: "reversal",
  object: entry.id,
  transition: "reversed",
  ordinal: 1,
  reverses: entry.id,
  at,
  legs: entry.legs.map((leg) => ({ ...leg, units: -leg.units })),
});

type Heading = {
  readonly object: string;
  readonly transition: string;
  readonly charge: Id<"charge"> | null;
  readonly at: Instant;
  readonly ordinal?: number;
};

export const entryOf = (
  kind: EntryKind,
  { object, transition, charge, at, ordinal = 1 }: Heading,
  legs: readonly Leg[],
): Entry => ({
  id: newId("entry"),
  kind,
  object,
  transition,
  ordinal,
  charge,
  reverses: null,
  at,
  // A fee of nothing moves nothing.
  legs: legs.filter(({ units }) => units !== 0n),
});
