export { approvalRoutes } from "./approvals.http.ts";
export { approvalJobs, namedBy } from "./approvals.jobs.ts";
export { type AnswerPort, type Approvals, createApprovals, type Saying } from "./approvals.operations.ts";
export type { Answerer, Approval, ApprovalSubject, NewQuestion } from "./approvals.ts";

/** The tables of this room, by the kind of protection each has. */
export const approvalTables = {
  approvals: "tenant",
  asking_quotas: "global",
  asking_open: "global",
} as const;
