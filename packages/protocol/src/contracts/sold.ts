import { z } from "zod";
import { ChargeStatus } from "./charges.ts";
import { AmountMinor, AmountOrZero, idOf, Rail, Timestamp } from "./values.ts";

/** GET /api/v1/sold: what an organization's merchants charged, as its people see it. */
export const SoldQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: idOf("charge").optional(),
  merchant: idOf("merchant").optional(),
  status: ChargeStatus.optional(),
});

export const SoldBody = z.object({
  id: idOf("charge"),
  status: ChargeStatus,
  merchant_id: idOf("merchant"),
  agent_id: z.string(),
  amount_minor: AmountMinor,
  captured_minor: AmountOrZero,
  refunded_minor: AmountOrZero,
  currency: z.string(),
  rail: Rail,
  payment_reference: z.string().nullable(),
  /** Why it was declined or went back: a code. */
  because: z.string().nullable(),
  offer_id: z.string(),
  created_at: Timestamp,
  captured_at: Timestamp.nullable(),
  receipt_id: idOf("receipt").nullable(),
  livemode: z.boolean(),
});
export type SoldBody = z.infer<typeof SoldBody>;

export const SoldPage = z.object({ data: z.array(SoldBody), next_cursor: z.string().nullable() });

/** GET /api/v1/sold/days. */
export const SoldDaysQuery = z.strictObject({ days: z.coerce.number().int().min(1).max(90).default(30) });

/** By the day of the capture, in UTC, and by currency; days without any are left out. */
export const SoldDays = z.object({
  from: z.string(),
  days: z.int(),
  data: z.array(
    z.object({
      day: z.string(),
      currency: z.string(),
      captured_minor: AmountOrZero,
      /** Given back of what was captured that day, whenever that was. */
      refunded_minor: AmountOrZero,
      count: z.int().min(0),
    }),
  ),
});
