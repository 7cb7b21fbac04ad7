export { disputeRoutes } from "./disputes.http.ts";
export { disputeJobs, hintDispute, lookSoon, looksAtDispute } from "./disputes.jobs.ts";
export type { DisputeDeps } from "./looking.ts";
