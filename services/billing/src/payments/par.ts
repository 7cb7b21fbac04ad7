import { assetOf, fromBudgetUnits, invariant, type Money, toBudgetUnits } from "@remit/kernel";
import { type OfferTransfer, Problem, tokensOf } from "@remit/protocol";

/** An amount of the order's currency in the token that pays it: at par, exactly. */
export function inTokens(amount: Money, transfer: OfferTransfer): Money {
  const { asset } = tokensOf(transfer);
  if (asset.peg !== amount.asset.code)
    throw new Problem("instruction_invalid", { detail: "the token stands for another currency" });
  return fromBudgetUnits(asset, toBudgetUnits(amount));
}

/** What was counted in a token, in the currency that it stands for: how the authorization server counts it. */
export function inCurrency(amount: Money): Money {
  const { peg } = amount.asset;
  if (peg === undefined) return amount;
  const currency = assetOf(peg);
  invariant(currency !== undefined, "a token stands for a currency we know");
  return fromBudgetUnits(currency, toBudgetUnits(amount));
}
