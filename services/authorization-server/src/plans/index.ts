export { type Allowances, createAllowances } from "./allowances.ts";
export { type Billed, createBilled } from "./billed.ts";
export { tellEnded } from "./ended.ts";
export { meteredCalls, meteredQuotas } from "./metered.ts";
export { forgetPayerLater, payerJobs } from "./payer.jobs.ts";
export { planRoutes } from "./plans.http.ts";
export { applyPlan, planTables, ruleByPlans } from "./plans.ts";
