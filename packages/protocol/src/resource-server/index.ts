export {
  type CallCredentials,
  type CallToVerify,
  examineCallProof,
  examineToken,
  type PresentedToken,
  type ProvenKey,
  readAuthorization,
  type TokenRules,
  type VerifiedCall,
} from "./call.ts";
export { type ChallengeHints, challenged } from "./challenges.ts";
export { bearerLifeSMax, type CallNeeds, checkPermission, checkScheme, type StepUp } from "./needs.ts";
export { createDpopNonces, type DpopNonces } from "./nonces.ts";
