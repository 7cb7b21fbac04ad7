export { type Allowances, createAllowances } from "./allowances.ts";
export { meteredCalls, meteredQuotas } from "./metered.ts";
export { applyPlan, planTables, ruleByPlans } from "./plans.ts";
