export { wish } from "./planning.ts";
export type { TransferDeps } from "./sending.ts";
export { transferJobs } from "./transfers.jobs.ts";
export type { Cause, Transfer } from "./transfers.ts";
