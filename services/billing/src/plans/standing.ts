import type { Id } from "@remit/kernel";
import { resumeSubscription } from "../stripe/index.ts";
import { type CheckoutDeps, endWhatIsPaid, settleSubscription } from "./checkouts.ts";
import { clearMark, isMarked, lockPlan, markEndsWithOrganization } from "./plans.sql.ts";
import { isLive, type Plan, planOf } from "./plans.ts";

/**
 * An organization does not act any more: nobody is to pay for a period in which it cannot use what it pays for. That it ends
 * for this reason is noted before Stripe is told, so that a process which dies between leaves nothing that is not taken back.
 */
export async function endWithOrganization(deps: CheckoutDeps, tenant: Id<"tenant">): Promise<Plan> {
  await deps.db.of(tenant).transaction(async (tx) => {
    await lockPlan(tx, tenant);
    await markEndsWithOrganization(tx);
  });
  return endWhatIsPaid(deps, { tenant, when: "period" });
}

/**
 * It acts again: what was to end for that reason alone goes on, unless its period is over. What its people had ended stays
 * so, and so does what they decide meanwhile: that takes the note away.
 */
export async function goOnWithOrganization(deps: CheckoutDeps, tenant: Id<"tenant">): Promise<Plan> {
  const db = deps.db.of(tenant);
  if (!(await db.transaction(isMarked))) return planOf(deps, tenant);
  const { subscription, status } = await planOf(deps, tenant);
  if (subscription !== undefined && isLive(status)) {
    await resumeSubscription(deps.stripe, subscription);
    await settleSubscription(deps, subscription);
  }
  await db.transaction(clearMark);
  return planOf(deps, tenant);
}
