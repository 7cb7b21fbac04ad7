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
const Units = z.string().regex(/^-?\d+$/);

/** One entry whole: whoever's postings they are, and where it comes from. For the operator. */
export const LedgerEntryShown = LedgerEntry.extend({
  /** (object, transition, ordinal) says what happened, once. */
  object: z.string(),
  transition: z.string(),
  ordinal: z.int(),
  /** What the processor calls the object; the object itself where it is the processor's. */
  source: z.string().nullable(),
  /** The entry that it takes back, or by which it was taken back. */
  reverses: idOf("entry").nullable(),
  reversed_by: idOf("entry").nullable(),
  postings: z.array(LedgerPosting.extend({ owner: z.string(), balance: Units })),
});
export type LedgerEntryShown = z.infer<typeof LedgerEntryShown>;

/** One account with its newest postings, the newest first. For the operator. */
export const LedgerAccountShown = z.object({
  id: z.string(),
  name: z.string(),
  owner: z.string(),
  merchant: z.string().nullable(),
  asset: z.string(),
  balance: Units,
  postings: z.int(),
  opened_at: Timestamp,
  newest: z.array(z.object({ entry: idOf("entry"), units: Units, balance: Units })),
});
export type LedgerAccountShown = z.infer<typeof LedgerAccountShown>;

/** A page of the books of a time, in its order. For the operator. */
export const LedgerExport = z.object({
  data: z.array(
    LedgerEntry.extend({
      object: z.string(),
      transition: z.string(),
      ordinal: z.int(),
      reverses: z.string().nullable(),
      postings: z.array(LedgerPosting.extend({ owner: z.string() })),
    }),
  ),
  next_cursor: z.string().nullable(),
});
export type LedgerExport = z.infer<typeof LedgerExport>;

export const LedgerEntries = z.object({ data: z.array(LedgerEntry) });
export type LedgerEntries = z.infer<typeof LedgerEntries>;
