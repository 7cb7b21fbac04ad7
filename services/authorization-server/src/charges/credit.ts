import { cardMinimum } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { ChargesDeps } from "./charges.operations.ts";
import type { Charge } from "./charges.ts";
import { comeBackTo } from "./settle-tab.ts";
import type { Unpaid } from "./tabs.sql.ts";
import * as rows from "./tabs.sql.ts";

/** What a payer owes a merchant is so many times the limit of the tab that is added to, at most, unless it is said otherwise. */
export const tabCreditDefault = 20;

/**
 * The charge with which a purchase begins: on a tab only for who owes the merchant nothing of former ones, under whichever
 * mandate. For who does, it is a payment of its own; what a card cannot be charged is refused.
 */
export function unlessInDebt(charge: Charge, unpaid: Unpaid | undefined): Charge {
  if (charge.tabLimit === undefined || unpaid === undefined) return charge;
  const least = cardMinimum(charge.amount.asset)?.units;
  return isInDebt(unpaid, least) ? onItsOwn(charge, "charge_tab_unpaid") : charge;
}

/** As a payment of its own; what a card cannot be charged is refused. */
export function onItsOwn(charge: Charge, otherwise: "charge_tab_unpaid" | "charge_tab_full"): Charge {
  const least = cardMinimum(charge.amount.asset);
  if (least !== undefined && charge.amount.units < least.units) throw new Problem(otherwise);
  return { ...charge, state: "authorizing", authorizedAt: undefined, tabLimit: undefined };
}

/** What was too little to be asked for is forgotten, as long as all of it together is too little as well. */
const isInDebt = ({ refused, little }: Unpaid, least: bigint | undefined): boolean =>
  refused > 0n || (least !== undefined && little >= least);

/** The transaction would have its payer owe the merchant too much: all of it rolls back. */
export class NoCredit extends Error {
  override readonly name = "NoCredit";
}

/**
 * Right before the hold is taken: with this purchase, which is written, all that its payer owes the merchant on tabs, or will
 * when it captures what it holds, is within bounds, under however many mandates. One at a time, until the commit.
 */
export async function assertCredit(
  tx: TenantTx,
  charge: Charge,
  credit: number = tabCreditDefault,
): Promise<void> {
  const { tabLimit } = charge;
  if (tabLimit !== undefined && (await rows.owedAt(tx, charge)) > tabLimit.units * BigInt(credit))
    throw new NoCredit();
}

/** Has what can be charged of a payer's tabs at a merchant charged now, so that there is credit again. */
export const hurryTabs = ({ db, clock }: ChargesDeps, charge: Charge): Promise<void> =>
  db.of(charge.payer).transaction(async (tx) => {
    const now = clock.now();
    const least = cardMinimum(charge.amount.asset)?.units ?? 1n;
    for (const tab of await rows.makeDue(tx, charge, { least, now })) await comeBackTo(tx, tab, now);
  });
