import type { MigrationSource } from "@remit/platform/sql";

/** What each table is, for the test that compares this with the database (T03). */
export const tables = {
  billing_profiles: "tenant",
  checkouts: "tenant",
  disputes: "tenant",
  fee_schedules: "tenant",
  fee_tiers: "tenant",
  fee_volumes: "tenant",
  instruments: "tenant",
  invoice_numbers: "global",
  invoices: "tenant",
  ledger_accounts: "tenant",
  ledger_entries: "global",
  ledger_months: "global",
  ledger_postings: "tenant",
  ledger_standing: "global",
  ledger_sums: "tenant",
  payments: "tenant",
  payout_accounts: "tenant",
  payouts: "tenant",
  plan_charges: "tenant",
  plans: "tenant",
  reconciliation_cases: "tenant",
  refund_transfers: "tenant",
  refunds: "tenant",
  signal_streams: "global",
  signals: "global",
  stripe_customers: "tenant",
  transfers: "tenant",
} as const;

export const migrations: readonly MigrationSource[] = [
  { name: "billing", directory: new URL("../migrations/", import.meta.url) },
];
