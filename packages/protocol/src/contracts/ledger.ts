import { z } from "zod";
import { idOf, Timestamp } from "./values.ts";

/** GET /api/v1/ledger/check. An imbalance is a decimal string of units; zero when the books are right. */
export const LedgerCheck = z.object({
  balanced: z.boolean(),
  assets: z.array(z.object({ asset: z.string(), imbalance: z.string().regex(/^-?\d+$/) })),
  accounts_checked: z.int().min(0),
  entries_checked: z.int().min(0),
});
export type LedgerCheck = z.infer<typeof LedgerCheck>;

/** One account; `balance` is in units of the asset, negative for a credit balance. */
export const LedgerAccount = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string().nullable(),
  asset: z.string(),
  balance: z.string().regex(/^-?\d+$/),
});
export const LedgerAccounts = z.object({ data: z.array(LedgerAccount) });
export type LedgerAccounts = z.infer<typeof LedgerAccounts>;

export const LedgerPosting = z.object({
  account: z.string(),
  asset: z.string(),
  units: z.string().regex(/^-?\d+$/),
});
export const LedgerEntry = z.object({
  id: idOf("entry"),
  kind: z.string(),
  charge: z.string().nullable(),
  posted_at: Timestamp,
  postings: z.array(LedgerPosting),
});
export const LedgerEntries = z.object({ data: z.array(LedgerEntry) });
export type LedgerEntries = z.infer<typeof LedgerEntries>;
