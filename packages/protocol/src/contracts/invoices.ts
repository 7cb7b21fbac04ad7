import { z } from "zod";
import { idOf, Timestamp, text, WholePageLength } from "./values.ts";

// Months, invoices and whom they are written to. Amounts are whole minor units; those of a credit note are negative.

const Amount = z.int();

const PartyBody = z.object({
  name: z.string(),
  address: z.array(z.string()),
  country: z.string(),
  tax_id: z.string().nullable(),
});

/** PUT /api/v1/billing-profiles/{organization}. */
export const SetBillingProfile = z.strictObject({
  name: text(200),
  address: z.array(text(200)).max(6),
  country: z.string().regex(/^[A-Z]{2}$/),
  tax_id: text(40).optional(),
  tax_basis_points: z.int().min(0).max(5_000),
  reverse_charge: z.boolean().default(false),
  due_days: z.int().min(0).max(120).default(30),
});
export const BillingProfile = PartyBody.extend({
  tax_basis_points: z.int(),
  reverse_charge: z.boolean(),
  due_days: z.int(),
});

export const MonthBody = z.object({
  month: z.string(),
  state: z.enum(["closing", "summed", "invoiced"]),
  closed_at: Timestamp.optional(),
});
export const MonthList = z.object({ data: z.array(MonthBody) });

const InvoiceLineBody = z.object({
  kind: z.string(),
  rail: z.string(),
  fee_schedule: z.string(),
  from_minor: Amount,
  count: z.int(),
  amount_minor: Amount,
  fee_minor: Amount,
});

export const InvoiceBody = z.object({
  id: idOf("invoice"),
  number: z.string(),
  kind: z.enum(["invoice", "credit_note"]),
  status: z.enum(["open", "overdue", "reminded", "final_notice", "uncollectible", "paid", "credited"]),
  month: z.string(),
  organization: idOf("tenant"),
  /** None on the invoice of the organization's own plan. */
  merchant: idOf("merchant").nullable(),
  currency: z.string(),
  from: PartyBody,
  to: PartyBody,
  lines: z.array(InvoiceLineBody),
  net_minor: Amount,
  tax: z.object({ basis_points: z.int(), amount_minor: Amount, reverse_charge: z.boolean() }),
  total_minor: Amount,
  withheld_minor: Amount,
  /** What credit notes have settled of it; of a credit note, what has been set off. */
  credited_minor: Amount,
  /** What is left: the total, but for what was withheld and credited. */
  due_minor: Amount,
  issued_at: Timestamp,
  due_at: Timestamp,
  paid_at: Timestamp.nullable(),
});
export const InvoiceList = z.object({ data: z.array(InvoiceBody), next_cursor: idOf("invoice").nullable() });
/** The operator may name another organization. */
export const InvoiceQuery = z.strictObject({
  organization: idOf("tenant").optional(),
  limit: WholePageLength,
  cursor: idOf("invoice").optional(),
});

/** GET /api/v1/running-fees: what the month that lasts has cost so far; its invoices are written once it is over. */
export const RunningFees = z.object({
  month: z.string(),
  data: z.array(
    z.object({
      merchant: idOf("merchant"),
      currency: z.string(),
      fee_minor: z.int(),
      /** Of it: kept back from what was sold. The rest is asked for. */
      withheld_minor: z.int(),
    }),
  ),
});

/** POST /api/v1/invoices/{id}/payment: what the bank calls it. */
export const InvoicePayment = z.strictObject({ reference: text(140) });
