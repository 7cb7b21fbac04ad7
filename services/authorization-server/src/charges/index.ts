export { chargeJobs } from "./charges.jobs.ts";
export { chargeRoutes } from "./charges.http.ts";
export { type Charges, type ChargesDeps, createCharges } from "./charges.operations.ts";
export type { Charge, ChargeState } from "./charges.ts";

/** `due_charges` says which charge recovery looks at next; it holds ids and times alone. */
export const chargeTables = {
  charges: "tenant",
  merchant_charges: "tenant",
  presentation_claims: "tenant",
  due_charges: "global",
} as const;
