export { claimFirstUse, claimFirstUses, sweepFirstUses } from "./once.sql.ts";
