import { z } from "zod";
import { idOf, PageLength, Timestamp, text } from "./values.ts";

const Units = z
  .string()
  .regex(/^-?\d+$/)
  .nullable();

/**
 * A difference between our books and Stripe's, by its balance transaction, or a clearing account in which money `waits` for longer
 * than it may, which closes itself, or a refund that its bank has sent back, so that somebody must find another way, or a movement of ours that Stripe refuses; amounts are decimal strings of units.
 */
export const ReconciliationCase = z.object({
  id: idOf("case"),
  kind: z.enum([
    "missing_here",
    "missing_there",
    "other_amount",
    "other_fee",
    "waits",
    "refund_failed",
    "transfer_refused",
  ]),
  object: z.string(),
  asset: z.string(),
  ours: Units,
  theirs: Units,
  opened_at: Timestamp,
  resolved_at: Timestamp.nullable(),
  note: z.string().nullable(),
});
export const ReconciliationCases = z.object({
  data: z.array(ReconciliationCase),
  next_cursor: idOf("case").nullable(),
});
export const ReconciliationQuery = z.strictObject({
  state: z.enum(["open", "resolved"]).optional(),
  limit: PageLength,
  cursor: idOf("case").optional(),
});

/** POST /api/v1/reconciliation-cases/{id}/resolution. */
export const ResolveCase = z.strictObject({ note: text(1_000) });
