import { type Id, invariant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { findHold, findLinks } from "./budget.sql.ts";
import * as rows from "./grow-hold.sql.ts";
import type { Bearer } from "./holds.ts";
import { giveBackToPeriods } from "./standing-limits.sql.ts";
import type { StandingLimit } from "./standing-limits.ts";

export type Growth = {
  readonly charge: Id<"charge">;
  /** In budget units. */
  readonly by: bigint;
  /** Every mandate of the chain, the root first. */
  readonly chain: readonly Bearer[];
  /** The principal's own limits that it counts in. */
  readonly limits: readonly StandingLimit[];
};

/**
 * Holds more for a charge that is held, in every budget, period and limit that it counts in and in their order; the use is
 * counted already. Refused by the first that has no room, and then all of it rolls back. Call it last, as `takeHold`.
 */
export async function growHold(tx: TenantTx, growth: Growth): Promise<void> {
  const { charge, by, chain, limits } = growth;
  invariant(by > 0n, "a hold grows by something");
  const hold = await findHold(tx, charge);
  invariant(hold?.state === "held", "what grows is held");
  const links = hold.linked ? await findLinks(tx, charge) : [];
  for (const { mandate } of chain)
    if (!(await rows.growInBudget(tx, mandate, by)))
      throw new Problem("mandate_cap_exceeded", aboveIt(mandate !== hold.mandate));
  for (const { mandate, windows } of [...links, hold]) {
    const rules = chain.find((bearer) => bearer.mandate === mandate)?.velocity ?? [];
    for (const window of windows) {
      const most = rules.find(({ rule }) => rule === window.rule)?.amount;
      if (!(await rows.growInWindow(tx, mandate, { window, by, most })))
        throw new Problem("mandate_velocity_exceeded", aboveIt(mandate !== hold.mandate));
    }
  }
  invariant(await rows.growHoldRow(tx, charge, by), "a hold that was found is held");
  await giveBackToPeriods(tx, charge, { amount: -by, uses: 0 });
  for (const limit of limits)
    if (limit.amount !== undefined && (await rows.countedBy(tx, charge, limit)) > limit.amount)
      throw new Problem("rule_limit_exceeded", {
        extra: { limited_by: limit.agent === undefined ? "all_agents" : "agent", period: limit.period },
      });
}

/** How much is left above is for those who hold that mandate to know. */
const aboveIt = (isAncestor: boolean) => (isAncestor ? { extra: { limited_by: "ancestor" } } : {});
