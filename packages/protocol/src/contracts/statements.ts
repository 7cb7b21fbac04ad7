import { z } from "zod";
import { Currency, Cursor, idOf, Timestamp } from "./values.ts";

// What moved what a merchant is owed, over a period. Amounts are whole minor units: what comes to the merchant is positive.

/** GET /api/v1/statements/{merchant} and its `/csv` and `/pdf`: from a moment to another, which is not part of it. */
export const StatementQuery = z.strictObject({ currency: Currency, from: Timestamp, until: Timestamp });
export const StatementPageQuery = StatementQuery.extend({ cursor: Cursor.optional() });

export const StatementKind = z.enum(["charge", "refund", "dispute", "payout", "adjustment"]);
export type StatementKind = z.infer<typeof StatementKind>;

export const StatementLine = z.object({
  /** The entry of the ledger that it is. */
  entry: idOf("entry"),
  kind: StatementKind,
  /** What happened to what: `captured` of a payment, `set_aside` of a dispute. */
  object: z.string(),
  transition: z.string(),
  charge: z.string().nullable(),
  posted_at: Timestamp,
  gross_minor: z.int(),
  fee_minor: z.int(),
  /** Gross but for the fee. */
  net_minor: z.int(),
  /** What is owed with this line. */
  balance_minor: z.int(),
});

export const StatementTotal = z.object({
  kind: StatementKind,
  count: z.int(),
  gross_minor: z.int(),
  fee_minor: z.int(),
  net_minor: z.int(),
});

/** Opening balance + the nets of all lines = closing balance, which the next period opens with. */
export const StatementBody = z.object({
  merchant: idOf("merchant"),
  currency: z.string(),
  from: Timestamp,
  until: Timestamp,
  opening_minor: z.int(),
  totals: z.array(StatementTotal),
  closing_minor: z.int(),
  lines: z.array(StatementLine),
  next_cursor: z.string().nullable(),
});
export type StatementBody = z.infer<typeof StatementBody>;
