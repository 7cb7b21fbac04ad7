export { claimFirstUse, sweepFirstUses } from "./once.sql.ts";
