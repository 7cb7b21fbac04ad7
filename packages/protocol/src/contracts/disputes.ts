import { z } from "zod";
import { AmountMinor, Currency, idOf, Timestamp, text } from "./values.ts";

/** `won` and `lost` are meant for the merchant; `withdrawn` was never decided. */
export const DisputeStatus = z.enum(["needs_response", "under_review", "won", "lost", "withdrawn"]);
export type DisputeStatus = z.infer<typeof DisputeStatus>;

/** Why a principal does not accept a charge. */
export const DisputeReason = z.enum([
  "not_delivered",
  "not_as_described",
  "unauthorized",
  "duplicate",
  "wrong_amount",
  "other",
]);
export type DisputeReason = z.infer<typeof DisputeReason>;

/** POST /api/v1/wallet/disputes, about what a receipt is for; without an amount, all of it that was not given back. */
export const OpenDispute = z.strictObject({
  receipt_id: idOf("receipt"),
  amount_minor: AmountMinor.optional(),
  reason: DisputeReason,
  statement: text(2000),
});
export type OpenDispute = z.infer<typeof OpenDispute>;

export const DisputeBody = z.object({
  id: idOf("dispute"),
  charge_id: idOf("charge"),
  merchant_id: idOf("merchant"),
  agent_id: z.string(),
  /** Who does not accept the charge: its principal, or the card network for the cardholder. */
  origin: z.enum(["principal", "network"]),
  status: DisputeStatus,
  /** One of `DisputeReason`, or the card network's own word. */
  reason: z.string(),
  /**
   * Why it was decided so: `accepted`, `unanswered`, `upheld`, `rejected`, `not_upheld`, `withdrawn`; `at_network` when the card
   * network has opened one about the same charge, which decides.
   */
  because: z.string().nullable(),
  amount_minor: AmountMinor,
  currency: Currency,
  /** What is or was given back of what the merchant has lost; the card network takes for itself. */
  refund: z.enum(["none", "due", "done", "refused"]),
  refund_minor: AmountMinor.nullable(),
  /** Until when the merchant may answer, and until when its answer may be judged. */
  respond_by: Timestamp.nullable(),
  review_by: Timestamp.nullable(),
  opened_at: Timestamp,
  answered_at: Timestamp.nullable(),
  decided_at: Timestamp.nullable(),
  /** What the principal wrote, and what the merchant answered. Only where one dispute is read. */
  statement: z.string().nullable().optional(),
  answer: z.string().nullable().optional(),
});
export type DisputeBody = z.infer<typeof DisputeBody>;

export const DisputeList = z.object({ data: z.array(DisputeBody), next_cursor: z.string().nullable() });
export type DisputeList = z.infer<typeof DisputeList>;

/** POST /api/v1/disputes/{id}/evidence: what the merchant has to say. The evidence pack of the charge is there by itself. */
export const AnswerDispute = z.strictObject({ text: text(5000) });
export type AnswerDispute = z.infer<typeof AnswerDispute>;

/** POST /api/v1/disputes/{id}/decision, by the operator. */
export const DecideDispute = z.strictObject({ outcome: z.enum(["upheld", "rejected"]) });
export type DecideDispute = z.infer<typeof DecideDispute>;

/** A dispute of the card network as billing has it; between services. */
export const NetworkDispute = z.object({
  id: idOf("dispute"),
  charge: idOf("charge"),
  payer: idOf("tenant"),
  payee: idOf("tenant"),
  /** The card network's name for it. */
  reference: z.string(),
  status: DisputeStatus,
  reason: z.string(),
  amount_minor: AmountMinor,
  currency: Currency,
  respond_by: Timestamp.nullable(),
  opened_at: Timestamp,
});
export type NetworkDispute = z.infer<typeof NetworkDispute>;
