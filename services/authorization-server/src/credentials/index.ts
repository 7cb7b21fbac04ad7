export { credentialRoutes } from "./credentials.http.ts";
export { credentialJobs } from "./credentials.jobs.ts";
export { credentialTables, endCredentialsOf } from "./credentials.ts";
export { createLastUses, type LastUses } from "./last-uses.ts";
