export { createFirstUses, type FirstUses } from "./first-uses.ts";
export { claimFirstUse, firstUseDigest, sweepFirstUses } from "./once.sql.ts";
