import type { Id, Instant, Money } from "@remit/kernel";
import type { MerchantOwner } from "../ledger/index.ts";

/** Why money is moved: what it is about, with its name at Stripe, and the payment that it belongs to. */
export type Cause = {
  readonly about: Id<"dispute"> | Id<"refund">;
  readonly aboutReference: string;
  readonly payment: Id<"payment">;
  readonly paymentReference: string;
  readonly destination: string;
  readonly charge: Id<"charge">;
  readonly owner: MerchantOwner;
};

/** `back` from a merchant's account at Stripe to our balance, or `on` to it again. */
export type Way = "back" | "on";

export type Transfer = Cause & {
  readonly id: Id<"transfer">;
  readonly ordinal: number;
  readonly way: Way;
  readonly amount: Money;
  readonly state: "sending" | "sent" | "dropped";
  readonly unwanted: boolean;
  readonly attempt: number;
  readonly askedAt: Instant | null;
  readonly source: string | null;
  readonly reference: string | null;
  readonly booked: boolean;
  readonly createdAt: Instant;
};

/** What should have come back by now because of something, and what had without us. */
export type Wish = { readonly wanted: Money; readonly already: Money };

/** What has still to move for a wish to be true; undefined when it is. */
export function moveFor(
  { wanted, already }: Wish,
  made: readonly Pick<Transfer, "way" | "amount" | "state">[],
): { readonly way: Way; readonly units: bigint } | undefined {
  const back = made
    .filter(({ state }) => state === "sent")
    .reduce((sum, { way, amount }) => sum + (way === "back" ? amount.units : -amount.units), already.units);
  const left = wanted.units - back;
  if (left === 0n) return undefined;
  return left > 0n ? { way: "back", units: left } : { way: "on", units: -left };
}
