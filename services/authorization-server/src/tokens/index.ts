export { type AskingClient } from "./askers.ts";
export { createTokenEndpoints, type TokenEndpoints } from "./endpoints.ts";
export type { TokenAnswer } from "./introspection-answer.ts";
export { createMint, type Mint, mintOwnToken, type TokenDraft, type TokenFacts } from "./mint.ts";
export { readOwnToken } from "./own-tokens.ts";
export { createPlainIntrospection, type PlainIntrospection } from "./plain-introspection.ts";
export type { LiveRefreshToken, RefreshTokens, TokenOwner } from "./refresh-tokens.ts";
export { createScanGuard } from "./scan-guard.ts";
export { tokenMounts } from "./tokens.http.ts";
export { tokenJobs } from "./tokens.jobs.ts";
export {
  createLiveTokens,
  isTokenLive,
  isTokenLiveAtCommit,
  type LiveTokens,
  resumeTokens,
  revokeTokens,
  revokeTokensIssued,
  type TokenKey,
} from "./tokens.ts";
