import type { Ids } from "../charging/index.ts";
import { moveOn } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import { type MoneyDeps, type Paying, receiptFor } from "./money.ts";

/** The money is the merchant's and nothing was delivered: the payer keeps a credit, and the claim says so. */
export async function owe(
  deps: MoneyDeps,
  paying: Paying,
  paid: { readonly ids: Ids; readonly merchant: Merchant },
): Promise<true> {
  const receipt = receiptFor(deps, paying, { ...paid, digests: {} });
  await moveOn(deps, paying.claim, {
    state: "owed",
    ...paid.ids,
    paidAt: deps.clock.now(),
    ...(receipt !== undefined && { receipt }),
  });
  return true;
}
