export {
  type Again,
  type Claim,
  decideRecovery,
  decideReplay,
} from "./claims.ts";
export {
  abandon,
  type ClaimsDeps,
  claimOfPresentation,
  dueClaims,
  forget,
  leave,
  moveOn,
  type NewClaim,
  orderOf,
  takeClaim,
  type Worker,
} from "./operations.ts";
