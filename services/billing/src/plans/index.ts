export type { CheckoutDeps } from "./checkouts.ts";
export { type PlanCharge, type PlanPaymentDeps, planChargesOf, planPayersIn } from "./plan-payments.ts";
export { planRoutes } from "./plans.http.ts";
export { hintPlan, planJobs } from "./plans.jobs.ts";
export { returnUrlOf } from "./return-urls.ts";
