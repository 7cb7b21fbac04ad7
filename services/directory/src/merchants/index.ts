export { merchantRoutes } from "./merchants.http.ts";
export { merchantJobs } from "./merchants.jobs.ts";
