export { purchaseAnswers } from "./answers.ts";
export { type Billing, type BillingDeps, createBilling } from "./billing.ts";
export { chargeRoutes } from "./charges.http.ts";
export { chargeJobs } from "./charges.jobs.ts";
export { type ChargeSide, type Charges, type ChargesDeps, createCharges } from "./charges.operations.ts";
export { tenantsOfCharges } from "./charges.sql.ts";
export { type Charge, refundable } from "./charges.ts";
export { type Crossing, cross, type Sides } from "./crossing.ts";
export { hearFailedRefund } from "./failed-refunds.ts";
export { createMerchants, type Merchant, type Merchants } from "./merchants.ts";
export { soldRoutes } from "./sold.http.ts";
export { clientOfSold } from "./sold.ts";
export { tabJobs } from "./tabs.jobs.ts";
export { anyUnsettled } from "./unsettled.sql.ts";
export { walletChargeRoutes } from "./wallet-charges.http.ts";

/** The tables of this room, by the kind of protection each has. */
export const chargeTables = {
  charges: "tenant",
  merchant_charges: "tenant",
  presentation_claims: "tenant",
  charge_refunds: "tenant",
  tabs: "tenant",
  tool_pins: "tenant",
} as const;
