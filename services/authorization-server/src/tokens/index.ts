export { mintOwnToken } from "./mint.ts";
export { tokenJobs } from "./tokens.jobs.ts";
export { isTokenLive, isTokenLiveAtCommit, revokeTokens, type TokenKey } from "./tokens.ts";
