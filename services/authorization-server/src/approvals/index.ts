export { approvalRoutes } from "./approvals.http.ts";
export { approvalJobs, namedBy } from "./approvals.jobs.ts";
export {
  type AnswerPort,
  type Approvals,
  confirmElsewhere,
  createApprovals,
  type Writing,
  withdraw,
} from "./approvals.operations.ts";
export { openQuestions } from "./approvals.sql.ts";
export type {
  Answerer,
  Approval,
  MandateSubject,
  NewQuestion,
} from "./approvals.ts";
export { approvalsChannel, askPurchase, followedQueue } from "./asking.ts";
export {
  type AskedBecause,
  confirmedText,
  describePurchase,
  type PurchaseSubject,
} from "./purchase.ts";

/** The tables of this room, by the kind of protection each has. */
export const approvalTables = {
  approvals: "tenant",
  asking_quotas: "global",
  asking_open: "global",
} as const;
