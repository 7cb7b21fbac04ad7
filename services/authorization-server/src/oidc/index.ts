export { type AccountAccess, createAccountAccess, type SignedIn } from "./account-access.ts";
export { adapterFor, type ClientSource } from "./adapter.ts";
export { cibaAnswers } from "./ciba-answers.ts";
export { type CoreDeps, interactionPath } from "./configuration.ts";
export { type Core, createCore } from "./core.ts";
export {
  type CustomGrant,
  type GrantAnswer,
  type GrantCall,
  type GrantClient,
  jwtBearerGrant,
  type Target,
  tokenExchangeGrant,
} from "./custom-grants.ts";
export { oauthAddresses } from "./described.ts";
export type { DevicePages } from "./device.ts";
export {
  type Asked,
  type Consent,
  createInteractions,
  type Interactions,
  type IssuePort,
  type SignInAsked,
} from "./interactions.ts";
export { endSessionPath } from "./logout.ts";
export { outcomeJobs, pingJobs } from "./ping.jobs.ts";
export { createRefreshRules, type PlannedRefresh, type RefreshRules } from "./refresh-rules.ts";
export { createRepeats, type Repeats } from "./repeats.ts";
export { openedBy } from "./seam.ts";
export { reaches, type Wanted } from "./sign-in-policy.ts";
export { createTokenRules, type PlannedToken, type TokenRules } from "./token-rules.ts";
