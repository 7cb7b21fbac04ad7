export { type Counter, openCounter, type Sold } from "./counter.ts";
export type { Served } from "./money.ts";
export { purchaseJobs } from "./purchases.jobs.ts";
export { recoverClaims } from "./recovery.ts";
export { idempotencyKeyOf, type PaidRequest } from "./request.ts";
