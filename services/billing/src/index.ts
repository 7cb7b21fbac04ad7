export type { BillingConfig } from "./config.ts";
export { type BillingOptions, createBilling, type Service } from "./service.ts";
export { migrations, tables } from "./tables.ts";
