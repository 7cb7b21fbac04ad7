import { z } from "zod";
import { Currency, Cursor, HttpsUrl, idOf, Timestamp, WholePageLength } from "./values.ts";

// Where a merchant's money goes, and how it got there.

/**
 * `waiting`: the processor wants particulars; `checking`: it looks at what it was given; `delayed`: a change that comes into
 * effect later; `active`: paid there; `restricted`: the processor has stopped it, and what is owed waits here.
 */
export const PayoutAccountStatus = z.enum([
  "waiting",
  "checking",
  "delayed",
  "active",
  "restricted",
  "replaced",
]);
export type PayoutAccountStatus = z.infer<typeof PayoutAccountStatus>;

export const PayoutAccountBody = z.object({
  id: idOf("destination"),
  merchant: idOf("merchant"),
  country: z.string(),
  status: PayoutAccountStatus,
  /** What the processor calls it (`acct_…`). */
  reference: z.string().nullable(),
  /** What the processor still wants to know, in its own words. */
  requirements: z.array(z.string()),
  disabled_reason: z.string().nullable(),
  charges_enabled: z.boolean(),
  payouts_enabled: z.boolean(),
  asked_at: Timestamp,
  /** From when on money goes there; null until the processor accepts it. */
  effective_from: Timestamp.nullable(),
});
export type PayoutAccountBody = z.infer<typeof PayoutAccountBody>;
export const PayoutAccountList = z.object({
  data: z.array(PayoutAccountBody),
  next_cursor: idOf("destination").nullable(),
});
export const PayoutAccountQuery = z.strictObject({
  merchant: idOf("merchant").optional(),
  limit: WholePageLength,
  cursor: idOf("destination").optional(),
});

/** POST /api/v1/payout-accounts and …/replacement. The person returns to one of the addresses, of an origin that is allowed. */
export const OnboardMerchant = z.strictObject({
  merchant: idOf("merchant"),
  country: z
    .string()
    .regex(/^[A-Z]{2}$/)
    .default("US"),
  return_url: HttpsUrl.optional(),
  refresh_url: HttpsUrl.optional(),
});
/** Where a person gives the merchant's particulars: for one visit, and for minutes. */
export const Onboarding = z.object({ account: PayoutAccountBody, url: z.string(), expires_at: Timestamp });

export const PayoutBody = z.object({
  id: idOf("payout"),
  account: idOf("destination"),
  merchant: idOf("merchant"),
  reference: z.string(),
  status: z.enum(["pending", "in_transit", "paid", "failed", "canceled"]),
  amount_minor: z.int(),
  currency: Currency,
  created_at: Timestamp,
  arrives_at: Timestamp,
  failure: z.string().nullable(),
});
export type PayoutBody = z.infer<typeof PayoutBody>;
export const PayoutList = z.object({ data: z.array(PayoutBody), next_cursor: z.string().nullable() });
export const PayoutQuery = z.strictObject({
  merchant: idOf("merchant").optional(),
  cursor: Cursor.optional(),
});

const Sums = z.array(z.object({ currency: z.string(), amount_minor: z.int() }));

/** GET /api/v1/merchant-balances: what stands in the books of the caller's merchants. */
export const MerchantBalances = z.object({
  data: z.array(
    z.object({
      merchant: idOf("merchant"),
      currency: z.string(),
      /** What Remit owes the merchant; below zero, what the merchant owes. */
      owed_minor: z.int(),
      /** Fees that it was or will be asked for by invoice. */
      fees_due_minor: z.int(),
    }),
  ),
});

/** GET /api/v1/payout-accounts/{id}/balance: what stands at the processor, as it says now. */
export const PayoutAccountBalance = z.object({ available: Sums, pending: Sums });
