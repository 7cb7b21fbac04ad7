export { createEngine } from "./engine.ts";
export type { RefundWatch } from "./failed-refunds.ts";
export { lookAtRefundSoon, type SettlingDeps } from "./journal.ts";
export type { Payment } from "./payment.ts";
export { paymentRoutes } from "./payments.http.ts";
export { hintPayment, hintRefund, looksAtCharge, paymentJobs } from "./payments.jobs.ts";
export { findBehind, type PaymentDeps } from "./payments.ts";
export { payerWalletRoute } from "./wallets.http.ts";
