export { destinationOf } from "./accounts.ts";
export { payoutRoutes } from "./payouts.http.ts";
export { hintPayout, payoutJobs } from "./payouts.jobs.ts";
export type { PayoutDeps } from "./payouts.ts";
