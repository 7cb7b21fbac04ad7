export {
  type Again,
  type Claim,
  type ClaimState,
  decideRecovery,
  decideReplay,
  type RecoveryDecision,
  type ReplayDecision,
} from "./claims.ts";
export {
  type ClaimsDeps,
  claimById,
  claimOfPresentation,
  dueClaims,
  forget,
  leave,
  moveOn,
  type NewClaim,
  orderOf,
  type Taken,
  takeClaim,
  type Worker,
} from "./operations.ts";
