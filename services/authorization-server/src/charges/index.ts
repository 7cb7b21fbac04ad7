export { chargeRoutes } from "./charges.http.ts";
export { chargeJobs } from "./charges.jobs.ts";
export { type Charges, type ChargesDeps, createCharges } from "./charges.operations.ts";
export type { Charge, ChargeState } from "./charges.ts";

export const chargeTables = {
  charges: "tenant",
  merchant_charges: "tenant",
  presentation_claims: "tenant",
  charge_refunds: "tenant",
} as const;
