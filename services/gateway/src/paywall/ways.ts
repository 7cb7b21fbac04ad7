import { invariant, toDecimal } from "@remit/kernel";
import {
  type CardTerms,
  canonicalise,
  exactRequirement,
  type Mac,
  type PaymentRequirement,
  type TransferTerms,
  uptoRequirement,
} from "@remit/protocol";
import { toStripe } from "@remit/rails/card";
import type { CardWay, PaidRoute, X402Way } from "../offers/index.ts";
import { bindingOf, type Wanted } from "./wanted.ts";

/** What a signed transfer must say. */
export const transferTermsOf = ({ network, asset, payTo, amount }: X402Way): TransferTerms => ({
  network,
  asset: { address: asset.address, name: asset.name, version: asset.version },
  payTo,
  amount,
});

/** Who settles on a network what permits allow; undefined where this gateway has no facilitator. */
export type Settlers = { readonly settlerOn: (network: string) => string | undefined };

/** The entry that a way is sold by; undefined where nobody could settle it. */
export function transferRequirementOf(
  { settlerOn }: Settlers,
  way: X402Way,
  binding?: string,
): PaymentRequirement | undefined {
  const terms = transferTermsOf(way);
  if (way.scheme === "exact") return exactRequirement(terms, binding);
  const facilitator = settlerOn(way.network);
  return facilitator === undefined ? undefined : uptoRequirement({ ...terms, facilitator }, binding);
}

/** What a payment by card is asked for, as the card network writes it. */
export function cardTermsOf(route: PaidRoute, way: CardWay): CardTerms {
  const price = route.price;
  const amount = toStripe(price);
  invariant(amount !== undefined, "a card sells only what it can be charged");
  return {
    amount: String(amount.amount),
    currency: amount.currency,
    decimals: price.asset.places,
    decimal: toDecimal(price),
    payTo: way.account ?? way.networkId,
    networkId: way.networkId,
    paymentMethodTypes: way.paymentMethodTypes,
  };
}

/**
 * x402 binds a payment to nothing but its payee and amount, so that one for another address of the same price would do.
 * Its clients echo the entry they pay: this member of it says for which request the entry was made.
 */
export function bindingFor(mac: Mac, wanted: Wanted): string {
  const digest =
    wanted.bodySha256 === undefined ? null : Buffer.from(wanted.bodySha256).toString("base64url");
  const text = canonicalise({ x402: bindingOf(wanted), digest });
  return Buffer.from(mac(text)).subarray(0, 16).toString("base64url");
}
