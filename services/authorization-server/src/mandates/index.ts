export { findBudget } from "./budget.sql.ts";
export { type Budget, type Hold, minorOf } from "./budget.ts";
export { budgetJobs, checkBudgets } from "./budgets.jobs.ts";
export { growHold } from "./grow-hold.ts";
export { hearInstrument } from "./hear-instrument.ts";
export {
  assertRoom,
  captureHold,
  checkBudget,
  freeRestOfHold,
  isNoRoom,
  refundHold,
  releaseHold,
  remainingAfter,
  spendOfHold,
  takeHold,
  takeHoldWithCommit,
  unrefundHold,
} from "./holds.ts";
export { mandateRoutes } from "./mandates.http.ts";
export {
  createMandates,
  type Mandates,
  type MandatesDeps,
  type Why,
} from "./mandates.operations.ts";
export { findChain, findMandate, principalsOf } from "./mandates.sql.ts";
export {
  assetOfMandate,
  endedQueue,
  type IssuedMandate,
  type IssueMandate,
  isFrozen,
  type Mandate,
  type MandateState,
  standingOfMandate,
  velocityOf,
  whyAskPrincipal,
} from "./mandates.ts";

export type { MandateWithBudget } from "./reading.ts";
export { type RoomOfAgent, roomBy, roomOfAgents, type Total, totalsOf } from "./rooms.ts";
export { actorOf } from "./shown.ts";

export { assertChainStands } from "./standing.ts";
export {
  limitsFor,
  lockMandates,
  replaceLimits,
  type StandingLimit,
  type StandingUse,
  samePlace,
  usesOfLimits,
} from "./standing-limits.ts";

/** The tables of this room, by the kind of protection each has. */
export const mandateTables = {
  mandates: "tenant",
  mandate_credentials: "tenant",
  mandate_budgets: "tenant",
  mandate_windows: "tenant",
  mandate_holds: "tenant",
  mandate_hold_links: "tenant",
  standing_windows: "tenant",
} as const;
