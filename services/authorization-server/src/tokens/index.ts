export { isTokenLive, revokeTokens, type TokenKey } from "./tokens.ts";
