import type { Instant, Money } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import { bookingEntry, type Entry, entryOf } from "./entries.ts";

export type PlanPayment = { readonly paid: Money; readonly booking: Booking };

/** A period of a plan that Stripe asked an organization for: what we earned of it, and the tax that is in its price. */
export function planEntries(of: {
  readonly invoice: string;
  readonly gross: Money;
  readonly tax: Money;
  /** Each payment: what the organization has paid, and what Stripe has booked of it. */
  readonly payments: readonly PlanPayment[];
  readonly at: Instant;
}): Entry[] {
  const { gross, tax, at } = of;
  const asset = gross.asset.code;
  const asked = entryOf("plan", { object: of.invoice, transition: "paid", charge: null, at }, [
    { code: "tenant_receivable", asset, units: gross.units },
    { code: "platform_fees", asset, units: tax.units - gross.units },
    { code: "tax_payable", asset, units: -tax.units },
  ]);
  const paid = of.payments.map(({ booking, paid: nominal }) =>
    bookingEntry(
      { charge: null, at },
      { ...booking, nominal, direction: "into", clears: "tenant_receivable" },
    ),
  );
  return [asked, ...paid];
}

/** What Stripe paid out of our balance to our bank, or took from that for it: under way, arrived, or sent back. */
export type OwnPayout = {
  readonly booking: Booking;
  readonly toBank: boolean;
  readonly arrived: boolean;
  /** It came back: the bank refused it, or somebody called it off. */
  readonly back: Booking | undefined;
};

/**
 * One that came back went to the bank and from there, so that each of its two movements clears for itself. What a read says
 * again posts nothing again, and what it says more of the same payout posts that alone.
 */
export function payoutEntries({ booking, toBank, arrived, back }: OwnPayout, at: Instant): Entry[] {
  const [there, again] = toBank ? (["out_of", "into"] as const) : (["into", "out_of"] as const);
  // A payout is of a balance, in its own currency.
  const moved = (one: Booking, direction: "into" | "out_of"): Entry =>
    bookingEntry({ charge: null, at }, { ...one, nominal: one.amount, direction, clears: "payout_clearing" });
  const entries = [moved(booking, there)];
  if (arrived || back !== undefined) entries.push(atBank({ ...booking, into: toBank }, "arrived", at));
  if (back === undefined) return entries;
  return [...entries, moved(back, again), atBank({ ...back, into: !toBank }, "sent_back", at)];
}

/** Under the name of the movement that it answers to: what clears meets what it clears. */
function atBank(
  { id, amount, into }: Booking & { readonly into: boolean },
  transition: "arrived" | "sent_back",
  at: Instant,
): Entry {
  const asset = amount.asset.code;
  const units = into ? amount.units : -amount.units;
  return entryOf("payout", { object: id, transition, charge: null, at }, [
    { code: "bank", asset, units },
    { code: "payout_clearing", asset, units: -units },
  ]);
}
