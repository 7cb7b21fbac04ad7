export { mandateRoutes } from "./mandates.http.ts";
export { createMandates, type Mandates, type MandatesDeps } from "./mandates.operations.ts";
export type { Budget, IssuedMandate, IssueMandate, Mandate, MandateState, Velocity } from "./mandates.ts";

/** The tables of this room, by the kind of protection each has. */
export const mandateTables = {
  mandates: "tenant",
  mandate_budgets: "tenant",
  mandate_windows: "tenant",
  mandate_holds: "tenant",
} as const;
