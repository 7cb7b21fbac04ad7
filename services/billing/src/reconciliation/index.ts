export { reconciliationRoutes } from "./reconciliation.http.ts";
export { reconciliationJobs } from "./reconciliation.jobs.ts";
export type { ReconciliationDeps } from "./reconciliation.ts";
