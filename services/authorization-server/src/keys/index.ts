export { keyRoutes } from "./keys.http.ts";
export { keyJobs } from "./keys.jobs.ts";
export { createIssuerKeys, type IssuerKeys } from "./keys.ts";
