import type { Id } from "@remit/kernel";
import type { Database, TenantTx } from "@remit/platform/sql";
import { findBudget, findBudgets, findWindows } from "./budget.sql.ts";
import type { Budget, UsedWindow } from "./budget.ts";
import * as rows from "./mandates.sql.ts";
import { type Mandate, velocityOf } from "./mandates.ts";

export type MandateWithBudget = {
  readonly mandate: Mandate;
  readonly budget: Budget;
  /** What each of its rules has counted in the period that is open, in their order. */
  readonly windows: readonly UsedWindow[];
};

export type MandatePage = Parameters<typeof rows.listMandates>[1];

export async function findWithBudget(
  tx: TenantTx,
  id: Id<"mandate">,
): Promise<MandateWithBudget | undefined> {
  const mandate = await rows.findMandate(tx, id);
  const budget = mandate && (await findBudget(tx, id));
  return budget && { mandate, budget, windows: await windowsOf(tx, mandate) };
}

export async function listWithBudgets(tx: TenantTx, page: MandatePage): Promise<MandateWithBudget[]> {
  const found = await rows.listMandates(tx, page);
  const budgets = await findBudgets(
    tx,
    found.map(({ id }) => id),
  );
  const listed: MandateWithBudget[] = [];
  for (const mandate of found) {
    const budget = budgets.get(mandate.id);
    if (budget !== undefined) listed.push({ mandate, budget, windows: await windowsOf(tx, mandate) });
  }
  return listed;
}

const windowsOf = (tx: TenantTx, { id, details }: Mandate): Promise<UsedWindow[]> =>
  details.velocity === undefined ? Promise.resolve([]) : findWindows(tx, id, velocityOf(details));

/** Each tenant's own, since no transaction sees those of two. */
export async function heldBy(
  db: Database,
  agent: string,
): Promise<{ readonly tenant: Id<"tenant">; readonly mandate: Id<"mandate"> }[]> {
  const found = [];
  for (const tenant of await db.global.transaction((tx) => rows.tenantsOfMandatesOf(tx, agent)))
    for (const mandate of await db.of(tenant).transaction((tx) => rows.mandatesHeldBy(tx, agent)))
      found.push({ tenant, mandate });
  return found;
}
