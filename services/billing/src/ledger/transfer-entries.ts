import { type Id, invariant, type Money } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import type { MerchantOwner } from "./chart.ts";
import { type Capture, type Entry, entryOf, type Paid } from "./entries.ts";

/**
 * A transfer over a chain goes from the payer to the merchant and never through us: what it says of the clearing account is
 * that the chain owes the merchant, until the block that stands. There is nothing to keep a fee back from, so it is asked for.
 */
export function transferEntry({ captured, fee, owner, terms, ...paid }: Capture): Entry {
  const asset = captured.asset.code;
  const entry = entryOf("capture", { ...paid, object: paid.payment, transition: "captured" }, [
    { code: "x402_clearing", asset, units: captured.units },
    { code: "merchant_payable", owner, asset, units: -captured.units },
    { code: "merchant_receivable", owner, asset, units: fee.units },
    { code: "platform_fees", asset, units: -fee.units },
  ]);
  return {
    ...entry,
    owner,
    rail: paid.rail,
    fee: { schedule: terms.schedule, from: String(terms.fromVolume) },
  };
}

/** What the seller has given back itself, in a block that stands: nothing is owed for it, as nothing went through us. */
export function returnEntries(
  { refund, refunded, owner, ...paid }: Paid & { readonly refund: Id<"refund">; readonly refunded: Money },
  booking: Booking | undefined,
): Entry[] {
  invariant(booking !== undefined, "what was given back over a chain stands in a transaction");
  const asset = refunded.asset.code;
  const entry = entryOf("refund", { ...paid, object: refund, transition: "refunded" }, [
    { code: "merchant_payable", owner, asset, units: refunded.units },
    { code: "x402_clearing", asset, units: -refunded.units },
  ]);
  return [{ ...entry, owner }, seenOnChainEntry({ ...paid, owner }, booking, "out_of")];
}

/** The transaction in which the merchant has the money (`into`) or the payer has it again (`out_of`). */
export function seenOnChainEntry(
  paid: Omit<Paid, "owner"> & { readonly owner: MerchantOwner },
  { id, amount }: Booking,
  direction: "into" | "out_of",
): Entry {
  const { owner, charge } = paid;
  const asset = amount.asset.code;
  const moved = direction === "into" ? amount.units : -amount.units;
  // A facilitator may bring many transfers on the chain in one transaction.
  return entryOf("booking", { ...paid, object: `${id} ${charge}`, transition: "booked" }, [
    { code: "x402_clearing", asset, units: -moved },
    { code: "merchant_payable", owner, asset, units: moved },
  ]);
}
