export { destinationOf } from "./accounts.ts";
export type { OwnPayoutDeps } from "./own-payouts.ts";
export { payoutRoutes } from "./payouts.http.ts";
export { hintPayout, payoutJobs } from "./payouts.jobs.ts";
export type { PayoutDeps } from "./payouts.ts";
