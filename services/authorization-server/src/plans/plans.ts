import type { Sql, Tenant, TenantTx } from "@remit/platform/sql";
import {
  type PlanLimits,
  type PlanTier,
  planSchedule,
  type RemitEvent,
  readPlanPayload,
} from "@remit/protocol";
import * as rows from "./plans.sql.ts";

/** An organization's plan, and how many agents it has now. */
export type PlanOf = { readonly tier: PlanTier; readonly limits: PlanLimits; readonly agents: number };

/**
 * Takes over what billing reports of a plan, in the transaction that puts it into the log. Told again, or after a later
 * word, it changes nothing.
 */
export async function applyPlan(tx: TenantTx<Tenant>, event: RemitEvent): Promise<void> {
  if (event.type !== "plan.changed") return;
  const snapshot = readPlanPayload(event.payload);
  if (snapshot !== undefined) await rows.savePlan(tx, snapshot, event.at);
}

/** The limits that count: of the plan, and of whoever governs the organization. */
export async function planOf(tx: TenantTx): Promise<PlanOf> {
  const { tier, limits } = await rows.findPlan(tx);
  return { tier, limits, agents: await rows.countLiveAgents(tx) };
}

/** Says for the whole installation whether limits refuse, and that an organization without a plan has the free one. */
export const ruleByPlans = (db: Sql, enforced: boolean): Promise<void> =>
  rows.saveRules(db, { ...planSchedule.free, enforced });

/** The tables of this room and their kind (the catalogue test compares). */
export const planTables = {
  plan_rules: "global",
  plans: "tenant",
  own_plans: "global",
  plan_allowances: "tenant",
} as const;
