import { cardMinimum } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Charge } from "./charges.ts";
import type { Unpaid } from "./tabs.sql.ts";

/**
 * The charge with which a purchase begins: on a tab only for who owes the merchant nothing of former ones, under whichever
 * mandate. For who does, it is a payment of its own; what a card cannot be charged is refused.
 */
export function unlessInDebt(charge: Charge, unpaid: Unpaid | undefined): Charge {
  if (charge.tabLimit === undefined || unpaid === undefined) return charge;
  const least = cardMinimum(charge.amount.asset)?.units;
  if (!isInDebt(unpaid, least)) return charge;
  if (least !== undefined && charge.amount.units < least) throw new Problem("charge_tab_unpaid");
  return { ...charge, state: "authorizing", authorizedAt: undefined, tabLimit: undefined };
}

/** What was too little to be asked for is forgotten, as long as all of it together is too little as well. */
const isInDebt = ({ refused, little }: Unpaid, least: bigint | undefined): boolean =>
  refused > 0n || (least !== undefined && little >= least);
