import { invariant, type Money, money, share } from "@remit/kernel";
import type { PassOn } from "../engine.ts";
import { toStripe } from "./amounts.ts";

/**
 * Whose the money is when the key that takes it is a platform's: `direct` makes every payment the account's own,
 * `destination` takes it on the platform and passes it on. From configuration alone; no request names any of it.
 */
export type Connect =
  | { readonly kind: "direct"; readonly account: string; readonly feeBps?: bigint }
  | {
      readonly kind: "destination";
      readonly destination: string;
      readonly onBehalfOf?: string;
      readonly feeBps?: bigint;
    };

/** How a call is sent: for a direct charge, in the name of the account. */
export const callOptions = (
  connect: Connect | undefined,
  idempotencyKey?: string,
): { idempotencyKey?: string; stripeAccount?: string } => ({
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  ...(connect?.kind === "direct" ? { stripeAccount: connect.account } : {}),
});

/** What a new payment says of whom it is for. */
export function beneficiary(connect: Connect | undefined, amount: Money) {
  const fee = platformFee(connect, amount).application_fee_amount ?? 0;
  return {
    ...(fee === 0 ? {} : { application_fee_amount: fee }),
    ...(connect?.kind === "destination" ? { transfer_data: { destination: connect.destination } } : {}),
    ...(connect?.kind === "destination" && connect.onBehalfOf !== undefined
      ? { on_behalf_of: connect.onBehalfOf }
      : {}),
  };
}

/** The platform's fee is of what is captured: half a unit goes to the even neighbour, the rest is the merchant's. */
export function platformFee(
  connect: Connect | undefined,
  amount: Money,
): { application_fee_amount?: number } {
  if (connect?.feeBps === undefined) return {};
  const { asset, units } = share(amount, connect.feeBps, "half-even");
  // Stripe takes amounts of three places in steps of ten: what lies between stays with the merchant.
  const payable = money(asset, asset.places === 3 ? units - (units % 10n) : units);
  return { application_fee_amount: toStripe(payable)?.amount ?? 0 };
}

/** What we keep of a capture that goes on to another account, as the caller's row says. */
export function keptOf(passOn: PassOn | undefined): { application_fee_amount?: number } {
  if (passOn === undefined || passOn.fee.units === 0n) return {};
  const fee = toStripe(passOn.fee);
  invariant(fee !== undefined, "a fee is of an amount that Stripe can keep");
  return { application_fee_amount: fee.amount };
}

/** A refund is the merchant's to bear, and the platform gives back its fee, where there was one to take. */
export const givenBack = (connect: Connect | undefined, amount: Money) => ({
  ...(connect?.kind === "destination" ? { reverse_transfer: true } : {}),
  ...((platformFee(connect, amount).application_fee_amount ?? 0) === 0
    ? {}
    : { refund_application_fee: true }),
});
