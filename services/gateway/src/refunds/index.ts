export { refundRoutes } from "./refunds.http.ts";
export { refundJobs } from "./refunds.jobs.ts";
export type { RefundDeps } from "./refunds.ts";
