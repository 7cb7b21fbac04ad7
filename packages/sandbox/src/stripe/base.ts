/** A JSON value as Stripe's objects hold it. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

export type Base<Name extends string> = {
  readonly id: string;
  readonly object: Name;
  /** Seconds since 1970. */
  readonly created: number;
  readonly livemode: false;
  /** The connected account that it belongs to; the platform's own when null. Set as it is put. */
  readonly _account?: string | null;
};
export type Metadata = { readonly [name: string]: string };

export type BalanceTransaction = Base<"balance_transaction"> & {
  readonly amount: number;
  readonly available_on: number;
  readonly currency: string;
  /** What one unit of the currency that came in was worth; null where nothing was converted. */
  readonly exchange_rate: number | null;
  readonly fee: number;
  readonly fee_details: Json;
  readonly net: number;
  readonly reporting_category: string;
  readonly source: string;
  readonly status: "pending";
  readonly type:
    | "application_fee"
    | "application_fee_refund"
    | "charge"
    | "payment"
    | "payment_refund"
    | "payout"
    | "payout_failure"
    | "refund"
    | "refund_failure"
    | "transfer"
    | "transfer_refund"
    | "adjustment";
};

/**
 * In what the platform's balance is kept: what comes in another of these currencies is converted to it, at these rates. Stripe's own
 * is a setting of the dashboard and the market; no request shows it.
 */
export type Settling = Base<"_settling"> & {
  readonly currency: string;
  readonly rates: { readonly [currency: string]: number };
};

/** What a customer was asked for, of one period of a subscription, and by which payment it paid. */
export type Invoice = Base<"invoice"> & {
  readonly amount_due: number;
  readonly amount_paid: number;
  readonly amount_remaining: number;
  readonly billing_reason: "subscription_create" | "subscription_cycle";
  readonly currency: string;
  readonly customer: string;
  readonly parent: {
    readonly type: "subscription_details";
    readonly subscription_details: { readonly subscription: string; readonly metadata: Metadata };
  };
  readonly payments: {
    readonly object: "list";
    readonly data: readonly {
      readonly id: string;
      readonly object: "invoice_payment";
      readonly amount_paid: number;
      readonly amount_requested: number;
      readonly currency: string;
      readonly invoice: string;
      readonly is_default: boolean;
      readonly payment: { readonly type: "payment_intent"; readonly payment_intent: string };
      readonly status: "paid";
    }[];
    readonly has_more: boolean;
    readonly url: string;
  };
  readonly status: "paid";
  readonly total: number;
};
