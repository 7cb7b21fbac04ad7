import { type Id, type Money, money } from "@remit/kernel";
import type { Booking } from "@remit/rails";
import { bookedLegs, type Entry, entryOf, type Paid } from "./entries.ts";

type OfDispute = Paid & { readonly dispute: Id<"dispute"> };

/**
 * Set aside from the merchant as soon as the network disputes a charge, and given back when it was won; the `ordinal` counts how
 * often, since a network may come back to what it had decided.
 */
export function disputeMovedEntry(
  { dispute, owner, charge, at }: OfDispute,
  { way, amount, ordinal }: { way: "set_aside" | "returned"; amount: Money; ordinal: number },
): Entry {
  const asset = amount.asset.code;
  const units = way === "set_aside" ? amount.units : -amount.units;
  const entry = entryOf("dispute", { object: dispute, transition: way, charge, at, ordinal }, [
    { code: "merchant_payable", owner, asset, units },
    { code: "dispute_reserve", asset, units: -units },
  ]);
  return { ...entry, owner };
}

/** What Stripe has booked of a dispute about `nominal` on our balance: below nothing when it took it. */
export function disputeBookedEntry(
  { charge, at }: Omit<Paid, "owner">,
  { id, amount, fee }: Booking,
  nominal: Money,
): Entry {
  const [sign, units] = amount.units < 0n ? ([-1n, -amount.units] as const) : ([1n, amount.units] as const);
  const legs = bookedLegs("dispute_reserve", sign, { amount: money(amount.asset, units), fee, nominal });
  return entryOf("booking", { object: id, transition: "booked", charge, at }, legs);
}

/** What Stripe keeps for a dispute is the merchant's to bear, whoever wins: in the money in which Stripe keeps it. */
export function disputeFeeEntry(
  { owner, charge, at }: Paid,
  { id, fee }: Pick<Booking, "id" | "fee">,
): Entry {
  const asset = fee.asset.code;
  const entry = entryOf("dispute", { object: id, transition: "fee_passed_on", charge, at }, [
    { code: "merchant_payable", owner, asset, units: fee.units },
    { code: "processor_fees", asset, units: -fee.units },
  ]);
  return { ...entry, owner };
}
