export { evidenceKeySet, keyRoutes } from "./keys.http.ts";
export { keyJobs } from "./keys.jobs.ts";
export { createIssuerKeys, type IssuerKeys, recordKekChange } from "./keys.ts";
export { operatorRoutes } from "./operator.http.ts";
