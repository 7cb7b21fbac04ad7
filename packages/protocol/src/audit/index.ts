export {
  type AuditBody,
  type AuditCheckpoint,
  type AuditEntry,
  type AuditLink,
  auditBodyOf,
  chainEntry,
  checkpointTyp,
  genesisHash,
} from "./entry.ts";
export { type AuditBreak, type ChainVerifier, createChainVerifier } from "./verify.ts";
