import type { BalanceTransaction, Base, Invoice, Json, Metadata, Settling } from "./base.ts";
import type { Charge, Dispute, Refund } from "./charged.ts";

export type { BalanceTransaction, Json, Metadata, Settling } from "./base.ts";
export type { Charge, Dispute, DisputeStatus, Refund } from "./charged.ts";

export type Customer = Base<"customer"> & {
  readonly email: string | null;
  readonly name: string | null;
  readonly description: string | null;
  readonly metadata: Metadata;
  readonly invoice_settings: { readonly default_payment_method: string | null };
  /** Known by its id alone from then on. */
  readonly deleted?: true;
};

export type PaymentMethod = Base<"payment_method"> & {
  readonly type: "card";
  readonly customer: string | null;
  readonly billing_details: Json;
  readonly card: {
    readonly brand: string;
    readonly country: string;
    readonly exp_month: number;
    readonly exp_year: number;
    readonly funding: string;
    readonly last4: string;
    readonly fingerprint: string;
  };
  readonly metadata: Metadata;
};

export type PaymentError = {
  readonly type: "card_error" | "invalid_request_error";
  readonly code: string;
  readonly decline_code?: string;
  readonly message: string;
  readonly payment_method?: Json;
};

export type SetupIntent = Base<"setup_intent"> & {
  readonly client_secret: string;
  readonly customer: string | null;
  readonly payment_method: string | null;
  readonly allowed_payment_method_types: readonly string[] | null;
  readonly payment_method_types: readonly string[];
  readonly status:
    | "requires_payment_method"
    | "requires_confirmation"
    | "requires_action"
    | "succeeded"
    | "canceled";
  readonly usage: "off_session" | "on_session";
  readonly next_action: Json;
  readonly last_setup_error: PaymentError | null;
  readonly latest_attempt: null;
  readonly mandate: null;
  readonly metadata: Metadata;
};

export type PaymentIntentStatus =
  | "requires_payment_method"
  | "requires_confirmation"
  | "requires_action"
  | "requires_capture"
  | "succeeded"
  | "canceled";

export type PaymentIntent = Base<"payment_intent"> & {
  readonly amount: number;
  readonly amount_capturable: number;
  readonly amount_received: number;
  readonly application_fee_amount: number | null;
  readonly automatic_payment_methods: Json;
  readonly canceled_at: number | null;
  readonly cancellation_reason: string | null;
  readonly capture_method: "automatic" | "automatic_async" | "manual";
  readonly client_secret: string;
  readonly confirmation_method: "automatic";
  readonly currency: string;
  readonly customer: string | null;
  readonly description: string | null;
  readonly last_payment_error: PaymentError | null;
  readonly latest_charge: string | null;
  readonly metadata: Metadata;
  readonly next_action: Json;
  readonly on_behalf_of: string | null;
  readonly payment_method: string | null;
  readonly allowed_payment_method_types: readonly string[] | null;
  readonly payment_method_types: readonly string[];
  readonly setup_future_usage: null;
  readonly shared_payment_granted_token: string | null;
  readonly statement_descriptor: string | null;
  readonly statement_descriptor_suffix: string | null;
  readonly status: PaymentIntentStatus;
  readonly transfer_data: { readonly destination: string; readonly amount?: number } | null;
  readonly transfer_group: string | null;
};

export type Event = Base<"event"> & {
  /** The connected account in which it happened. */
  readonly account?: string;
  readonly api_version: string;
  readonly data: { readonly object: Json };
  readonly pending_webhooks: number;
  readonly request: { readonly id: string | null; readonly idempotency_key: string | null };
  readonly type: string;
};

export type WebhookEndpoint = Base<"webhook_endpoint"> & {
  readonly url: string;
  readonly enabled_events: readonly string[];
  readonly secret: string;
  readonly status: "enabled";
  readonly metadata: Metadata;
};

export type Price = Base<"price"> & {
  readonly active: boolean;
  readonly billing_scheme: "per_unit";
  readonly currency: string;
  readonly lookup_key: string | null;
  readonly metadata: Metadata;
  readonly nickname: string | null;
  readonly product: string;
  readonly recurring: {
    readonly interval: "day" | "week" | "month" | "year";
    readonly interval_count: number;
    readonly usage_type: "licensed";
  } | null;
  readonly type: "one_time" | "recurring";
  readonly unit_amount: number;
  readonly unit_amount_decimal: string;
};

export type SubscriptionStatus =
  | "active"
  | "canceled"
  | "incomplete"
  | "incomplete_expired"
  | "past_due"
  | "paused"
  | "trialing"
  | "unpaid";

export type Subscription = Base<"subscription"> & {
  readonly cancel_at: number | null;
  readonly cancel_at_period_end: boolean;
  readonly canceled_at: number | null;
  readonly collection_method: "charge_automatically";
  readonly currency: string;
  readonly customer: string;
  readonly default_payment_method: string | null;
  readonly ended_at: number | null;
  readonly items: {
    readonly object: "list";
    readonly data: readonly {
      readonly id: string;
      readonly object: "subscription_item";
      readonly created: number;
      readonly current_period_start: number;
      readonly current_period_end: number;
      readonly metadata: Metadata;
      readonly price: Price;
      readonly quantity: number;
      readonly subscription: string;
    }[];
    readonly has_more: boolean;
    readonly url: string;
  };
  readonly latest_invoice: string | null;
  readonly metadata: Metadata;
  readonly start_date: number;
  readonly status: SubscriptionStatus;
  readonly trial_end: null;
};

/** What one merchant lets one seller take, once or bit by bit, up to an amount and until a time. */
export type SharedToken = Base<"shared_payment.granted_token"> & {
  readonly agent_details: Json;
  readonly deactivated_at: number | null;
  readonly deactivated_reason: "consumed" | "expired" | "resolved" | "revoked" | null;
  readonly next_action: null;
  readonly payment_method_details: Json;
  readonly risk_details: Json;
  readonly seller_details: { readonly external_id: string | null; readonly network_id: string };
  readonly shared_metadata: Metadata;
  readonly usage_details: {
    readonly amount_captured: { readonly currency: string; readonly value: number };
  };
  readonly usage_limits: {
    readonly currency: string;
    readonly expires_at: number | null;
    readonly max_amount: number;
  };
  readonly _payment_method: string;
  /** Of the card behind it. */
  readonly _last4: string;
  /** Authorized and neither captured nor canceled yet. */
  readonly _held: number;
};

/** The same token as its issuer sees it. */
export type IssuedToken = Base<"shared_payment.issued_token"> &
  Pick<
    SharedToken,
    | "deactivated_at"
    | "deactivated_reason"
    | "next_action"
    | "risk_details"
    | "seller_details"
    | "shared_metadata"
    | "usage_details"
    | "usage_limits"
  > & { readonly payment_method: string; readonly status: "active" | "deactivated" };

export type ConnectedAccount = Base<"account"> & {
  readonly business_type: string | null;
  readonly capabilities: { readonly [name: string]: "active" | "inactive" };
  readonly charges_enabled: boolean;
  readonly controller: Json;
  readonly country: string;
  readonly default_currency: string;
  readonly details_submitted: boolean;
  readonly email: string | null;
  readonly metadata: Metadata;
  readonly payouts_enabled: boolean;
  readonly requirements: {
    readonly currently_due: readonly string[];
    readonly disabled_reason: string | null;
  };
  readonly type: "custom" | "express" | "none" | "standard";
};

export type AccountLink = Base<"account_link"> & {
  readonly account: string;
  readonly expires_at: number;
  readonly _refresh_url: string;
  readonly return_url: string;
  readonly url: string;
};

export type Payout = Base<"payout"> & {
  readonly amount: number;
  readonly arrival_date: number;
  readonly automatic: boolean;
  readonly balance_transaction: string;
  readonly currency: string;
  readonly description: string | null;
  readonly failure_balance_transaction: string | null;
  readonly failure_code: string | null;
  readonly failure_message: string | null;
  readonly metadata: Metadata;
  readonly method: "standard";
  readonly status: "canceled" | "failed" | "in_transit" | "paid" | "pending";
  readonly type: "bank_account";
};

export type Transfer = Base<"transfer"> & {
  readonly amount: number;
  readonly amount_reversed: number;
  readonly balance_transaction: string;
  readonly currency: string;
  readonly description: string | null;
  readonly destination: string;
  readonly destination_payment: string;
  readonly metadata: Metadata;
  readonly reversed: boolean;
  readonly source_transaction: string | null;
  readonly transfer_group: string | null;
};

export type TransferReversal = Base<"transfer_reversal"> & {
  readonly amount: number;
  readonly balance_transaction: string;
  readonly currency: string;
  readonly metadata: Metadata;
  readonly source_refund: string | null;
  readonly transfer: string;
};

export type ApplicationFee = Base<"application_fee"> & {
  readonly account: string;
  readonly amount: number;
  readonly amount_refunded: number;
  readonly balance_transaction: string;
  readonly charge: string;
  readonly currency: string;
  readonly refunded: boolean;
};

/** Members that begin with `_` are what Stripe keeps to itself: no answer and no event shows them. */
export type CheckoutSession = Base<"checkout.session"> & {
  readonly amount_subtotal: number;
  readonly amount_total: number;
  readonly cancel_url: string | null;
  readonly client_reference_id: string | null;
  readonly currency: string;
  readonly customer: string | null;
  readonly expires_at: number;
  readonly metadata: Metadata;
  readonly mode: "subscription";
  readonly payment_status: "paid" | "unpaid";
  readonly status: "complete" | "expired" | "open";
  readonly subscription: string | null;
  readonly success_url: string;
  readonly ui_mode: "hosted";
  readonly url: string | null;
  readonly _wanted: readonly { readonly price: string; readonly quantity: number }[];
  readonly _subscription_metadata: Metadata;
};

/** What of an object others see. */
export const shown = (name: string, value: unknown): unknown => (name.startsWith("_") ? undefined : value);

export type Resource =
  | AccountLink
  | ApplicationFee
  | ConnectedAccount
  | Invoice
  | IssuedToken
  | Payout
  | SharedToken
  | Transfer
  | TransferReversal
  | Price
  | Subscription
  | CheckoutSession
  | Customer
  | PaymentMethod
  | SetupIntent
  | PaymentIntent
  | Charge
  | Refund
  | BalanceTransaction
  | Dispute
  | Event
  | Settling
  | WebhookEndpoint;

export type ResourceName = Resource["object"];
export type ResourceOf<Name extends ResourceName> = Extract<Resource, { object: Name }>;
