import type { BalanceTransaction, Base, Json, Metadata } from "./base.ts";

export type Charge = Base<"charge"> & {
  readonly amount: number;
  readonly amount_captured: number;
  readonly amount_refunded: number;
  readonly application_fee: string | null;
  readonly balance_transaction: string | null;
  readonly captured: boolean;
  readonly currency: string;
  readonly customer: string | null;
  readonly dispute: string | null;
  readonly disputed: boolean;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly metadata: Metadata;
  readonly outcome: Json;
  readonly paid: boolean;
  readonly payment_intent: string;
  readonly payment_method: string | null;
  readonly refunded: boolean;
  readonly status: "succeeded" | "failed";
  readonly transfer: string | null;
};

export type Refund = Base<"refund"> & {
  readonly amount: number;
  /** Null of one that came to nothing before it was booked. */
  readonly balance_transaction: string | null;
  readonly charge: string;
  readonly currency: string;
  /** What put the money back on our balance. */
  readonly failure_balance_transaction: string | null;
  readonly failure_reason: string | null;
  readonly metadata: Metadata;
  readonly payment_intent: string;
  readonly reason: string | null;
  readonly status: "failed" | "succeeded";
  readonly transfer_reversal: string | null;
};

export type DisputeStatus =
  | "lost"
  | "needs_response"
  | "under_review"
  | "warning_closed"
  | "warning_needs_response"
  | "warning_under_review"
  | "won";

export type Dispute = Base<"dispute"> & {
  readonly amount: number;
  readonly balance_transactions: readonly BalanceTransaction[];
  readonly charge: string;
  readonly currency: string;
  readonly evidence: { readonly [name: string]: Json };
  readonly evidence_details: {
    readonly due_by: number | null;
    readonly has_evidence: boolean;
    readonly past_due: boolean;
    readonly submission_count: number;
  };
  readonly is_charge_refundable: boolean;
  readonly payment_intent: string;
  readonly reason: string;
  readonly status: DisputeStatus;
  readonly metadata: Metadata;
};
