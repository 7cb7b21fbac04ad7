export { claimFirstUse, firstUseDigest, sweepFirstUses } from "./once.sql.ts";
