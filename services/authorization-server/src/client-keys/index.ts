export { claimKeys, clientKeyTables, releaseKeys } from "./client-keys.ts";
