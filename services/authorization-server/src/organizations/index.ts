export { createExports } from "./export.ts";
export { memberRoutes } from "./members.http.ts";
export { organizationRoutes } from "./organizations.http.ts";
export { organizationJobs } from "./organizations.jobs.ts";
export { organizationTables } from "./organizations.ts";
