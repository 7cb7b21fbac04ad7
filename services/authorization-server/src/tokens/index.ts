export { createMint, type Mint, mintOwnToken, type TokenDraft, type TokenFacts } from "./mint.ts";
export { readOwnToken } from "./own-tokens.ts";
export { tokenJobs } from "./tokens.jobs.ts";
export { isTokenLive, isTokenLiveAtCommit, resumeTokens, revokeTokens, type TokenKey } from "./tokens.ts";
