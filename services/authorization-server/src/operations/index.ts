export { operationsRoutes } from "./operations.http.ts";
export { operationsJobs } from "./operations.jobs.ts";
export { createOperations, type Operations } from "./operations.ts";
