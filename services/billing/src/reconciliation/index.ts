export { reconciliationRoutes } from "./reconciliation.http.ts";
export { reconciliationJobs } from "./reconciliation.jobs.ts";
export { openCase, type ReconciliationDeps } from "./reconciliation.ts";
