export {
  type Again,
  type Claim,
  type ClaimRail,
  decideRecovery,
  decideReplay,
  type Standing,
} from "./claims.ts";
export {
  abandon,
  type ClaimsDeps,
  claimOfPresentation,
  dueClaims,
  forget,
  keepReference,
  leave,
  moveOn,
  type NewClaim,
  orderOf,
  reopenClaim,
  takeClaim,
  takeOwed,
  type Worker,
} from "./operations.ts";
