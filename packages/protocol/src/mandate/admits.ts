import { assetOf, type Money, money, toBudgetUnits } from "@remit/kernel";
import type { ProblemCode } from "../problems.ts";
import type { Rail, VisibleDetails } from "./details.ts";
import { type BoughtLine, isListed } from "./line-items.ts";

/** What is about to be bought, as the offer and the directory say. */
export type Purchase = {
  readonly amount: Money;
  readonly merchantOrigin: string;
  /** The merchant's categories. */
  readonly categories: readonly string[];
  readonly rail: Rail;
  readonly offerDigest: string;
  /** What is bought, line by line: see `linesOf`. */
  readonly lines: readonly BoughtLine[];
};

export type Admission =
  /** `limitsHidden`: nothing that was disclosed speaks against it; the issuer may still know a limit. */
  | { readonly kind: "admitted"; readonly limitsHidden: boolean }
  | { readonly kind: "refused"; readonly because: ProblemCode };

/** Whether the details allow a purchase by themselves. Budget, velocity and state are for the issuer's database. */
export function admits(details: VisibleDetails, purchase: Purchase): Admission {
  const because = objectionOf(details, purchase);
  return because === undefined
    ? { kind: "admitted", limitsHidden: details.limits_hidden === true }
    : { kind: "refused", because };
}

function objectionOf(details: VisibleDetails, purchase: Purchase): ProblemCode | undefined {
  if (!acceptsAsset(details, purchase.amount)) return "mandate_asset_not_accepted";
  if (details.offer_digest !== undefined && details.offer_digest !== purchase.offerDigest)
    return "mandate_offer_mismatch";
  if (details.line_items !== undefined && !isListed(details.line_items, purchase.lines))
    return "mandate_line_items_mismatch";
  if (details.merchants !== undefined && !details.merchants.includes(purchase.merchantOrigin))
    return "mandate_merchant_not_allowed";
  if (details.categories?.some((category) => purchase.categories.includes(category)) === false)
    return "mandate_category_not_allowed";
  if (details.rails?.includes(purchase.rail) === false) return "mandate_rail_not_allowed";
  return isAboveLimit(details, purchase.amount) ? "charge_offer_amount_exceeds_mandate" : undefined;
}

/** No silent conversion: the mandate's own currency, or a token it lists at par with it. */
function acceptsAsset(details: VisibleDetails, { asset }: Money): boolean {
  if (asset.code === details.currency) return true;
  const caip19 = asset.caip19?.toLowerCase();
  return (
    caip19 !== undefined &&
    (details.also_accepts ?? []).some(
      (accepted) =>
        accepted.asset.toLowerCase() === caip19 &&
        accepted.peg === details.currency &&
        asset.peg === accepted.peg,
    )
  );
}

function isAboveLimit(details: VisibleDetails, amount: Money): boolean {
  const currency = assetOf(details.currency);
  if (currency === undefined) return true;
  const units = toBudgetUnits(amount);
  return [details.per_charge_minor, details.amount_minor].some(
    (limit) => limit !== undefined && units > toBudgetUnits(money(currency, BigInt(limit))),
  );
}
