export { type Artifacts, createArtifacts, endsAt, successorUid, type Use, type Used } from "./artifacts.ts";
export { endTokensOfClient } from "./client-grants.ts";
export { grantRoutes } from "./grants.http.ts";
export { grantJobs } from "./grants.jobs.ts";
export {
  digestOf,
  endFamily,
  familyMs,
  type Grant,
  grantOf,
  hasGranted,
  type MandatePort,
  openGrant,
  type Replayed,
} from "./grants.ts";
export { endGrantsOf } from "./mandates-grants.ts";
export { createRefreshTokens } from "./refresh-tokens.ts";
export { createRotations, graceMs, type RotatableToken, type Rotations } from "./rotations.ts";
export {
  endGrantsOfSession,
  endGrantWithin,
  endLastingGrantsOf,
  type GivenGrant,
  grantsOfAccount,
  sessionOfArtifact,
} from "./sessions-grants.ts";
