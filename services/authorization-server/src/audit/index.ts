export { createFileAnchor } from "./anchor.ts";
export { auditRoutes } from "./audit.http.ts";
export { auditJobs } from "./audit.jobs.ts";
export { type AuditDeps, entriesAbout, recentOf } from "./audit.ts";
export { type Stapled, stapledOf } from "./proofs.ts";
export { type AuditRecorder, createAuditRecorder } from "./recorder.ts";
export { removalJobs } from "./removals.jobs.ts";
export { type AuditHead, entriesNamed } from "./search.ts";
export { createVerifications, type VerifyLog } from "./verify.ts";

/** The tables of this room and their kind (the catalogue test compares). */
export const auditTables = {
  audit_rows: "tenant",
  audit_queue: "global",
  audit_set_aside: "global",
  audit_chain: "tenant",
  audit_tree: "tenant",
  audit_removals: "tenant",
  audit_heads: "global",
  audit_checkpoints: "tenant",
  audit_verifications: "global",
} as const;
