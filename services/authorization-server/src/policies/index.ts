export { actionsOf } from "./actions.ts";
export { bundled, type Operated, type OperatedSource, readOperated } from "./bundled.ts";
export { type Cedar, createCedar } from "./cedar.ts";
export { createDecide } from "./decide.ts";
export { createDecisionLog } from "./decision-log.ts";
export { createPoliciesInForce, type Language } from "./in-force.ts";
export { policyRoutes } from "./policies.http.ts";
export { policyJobs } from "./policies.jobs.ts";
export type { PolicyRequest } from "./port.ts";

/** The tables of this room and their kind (the catalogue test compares). */
export const policyTables = {
  policies: "tenant",
  policy_versions: "tenant",
  policy_decisions: "tenant",
} as const;
