import type { Digests, Ids } from "../charging/index.ts";
import { type Claim, moveOn } from "../claims/index.ts";
import type { Merchant } from "../offers/index.ts";
import { type MoneyDeps, type Paying, receiptFor } from "./money.ts";

/** The commit: once the money is taken the answer is the buyer's, before it is nobody's. */
export function settle(
  deps: MoneyDeps,
  paying: Paying,
  paid: { readonly ids: Ids; readonly digests: Partial<Digests>; readonly merchant: Merchant },
): Promise<Claim> {
  const receipt = receiptFor(deps, paying, paid);
  return moveOn(deps, paying.claim, {
    state: "captured",
    ...paid.ids,
    ...(receipt !== undefined && { receipt }),
  });
}
