export { type AuditCheckpoint, checkpointTyp, examineCheckpoint } from "./checkpoint.ts";
export {
  type AuditBody,
  type AuditEntry,
  type AuditGap,
  type AuditLink,
  auditBodyOf,
  chainEntry,
  genesisHash,
} from "./entry.ts";
export {
  type AuditRemoval,
  examineRemoval,
  type PlaceRun,
  removalTyp,
  removes,
  runsOf,
} from "./removal.ts";
export { type AuditBreak, type ChainStart, type ChainVerifier, createChainVerifier } from "./verify.ts";
