import { assetOfCaip19, invariant, toDecimal } from "@remit/kernel";
import {
  type CardTerms,
  canonicalise,
  exactRequirement,
  type Mac,
  type Offer,
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

/** How a mandate is charged over a chain, where the route is sold there at a fixed price in a token that Remit knows. */
export function transferIn({ ways, meter }: PaidRoute): Pick<Offer, "transfer"> {
  const way = ways.find((one) => one.rail === "x402" && one.scheme === "exact");
  if (way?.rail !== "x402" || meter !== undefined) return {};
  const { network, asset, payTo, amount } = way;
  if (assetOfCaip19(`${network}/erc20:${asset.address}`) === undefined) return {};
  const { address, name, version } = asset;
  return {
    transfer: { network, asset: address, amount: amount.toString(), pay_to: payTo, name, version },
  };
}

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
