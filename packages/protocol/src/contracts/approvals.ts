import { z } from "zod";
import { AmountMinor, Currency, idOf, Timestamp, text } from "./values.ts";

export const ApprovalStatus = z.enum(["pending", "approved", "denied", "expired"]);
export type ApprovalStatus = z.infer<typeof ApprovalStatus>;

/** What an agent asks to be allowed, as fields and, built from them alone, in words. */
export const ApprovalQuestion = z.object({
  currency: Currency,
  /** The most that it can ever cost. */
  amount_minor: AmountMinor,
  per_charge_minor: AmountMinor.nullable(),
  merchants: z.array(z.string()),
  categories: z.array(z.string()),
  rails: z.array(z.string()),
  uses: z.enum(["single", "multiple"]),
  /** In the agent's words. */
  purpose: z.string().nullable(),
  valid_until: Timestamp,
  /** The resources its tokens would be for. */
  resources: z.array(z.string()),
  sentences: z.array(z.string()),
});

/** GET /api/v1/approvals/{id}: something that waits, or waited, for a principal's answer. */
export const ApprovalBody = z.object({
  id: idOf("approval"),
  kind: z.literal("mandate"),
  status: ApprovalStatus,
  /** The name is as its owner wrote it; nobody verified it. */
  agent: z.object({ id: z.string(), name: z.string() }),
  /** In the agent's words (OpenID CIBA §7.1), never ours. */
  binding_message: z.string().nullable(),
  asks: ApprovalQuestion,
  times_asked: z.int().min(1),
  asked_at: Timestamp,
  expires_at: Timestamp,
  answered_at: Timestamp.nullable(),
  mandate_id: idOf("mandate").nullable(),
});
export type ApprovalBody = z.infer<typeof ApprovalBody>;

/** GET /api/v1/approvals: newest first. */
export const ApprovalList = z.object({ data: z.array(ApprovalBody), next_cursor: z.string().nullable() });
export type ApprovalList = z.infer<typeof ApprovalList>;

/** POST /api/v1/approvals/{id}/deny. */
export const DenyApproval = z.strictObject({ reason: text(500).optional() });
export type DenyApproval = z.infer<typeof DenyApproval>;
