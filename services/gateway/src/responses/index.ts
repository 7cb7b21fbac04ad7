export { responseJobs } from "./responses.jobs.ts";
export { dropResponse, keepResponse, openResponse, scopeOf } from "./responses.ts";
