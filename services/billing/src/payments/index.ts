export type { SettlingDeps } from "./journal.ts";
export { paymentRoutes } from "./payments.http.ts";
export { hintPayment, paymentJobs } from "./payments.jobs.ts";
export type { PaymentDeps } from "./payments.ts";
