export { type Counter, openCounter, type Sold, type SoldHere, type SoldWhole } from "./counter.ts";
export type { Served, Sink } from "./money.ts";
export { purchaseJobs } from "./purchases.jobs.ts";
export { recoverClaims } from "./recovery.ts";
export { idempotencyKeyOf, type PaidRequest, wantedOf } from "./request.ts";
