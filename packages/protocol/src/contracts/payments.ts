import { z } from "zod";
import { AmountMinor, AmountOrZero, Currency, idOf, Rail } from "./values.ts";

/** POST /api/v1/payments and …/{id}/{capture,release,refund}: one instruction of the authorization server. */
export const InstructionBody = z.strictObject({ instruction: z.string().min(1).max(8192) });
export type InstructionBody = z.infer<typeof InstructionBody>;

export const PaymentStatus = z.enum([
  "authorizing",
  "authorized",
  "declined",
  "capturing",
  "captured",
  "releasing",
  "released",
  "refunding",
  "refunded",
  "requires_action",
]);
export type PaymentStatus = z.infer<typeof PaymentStatus>;

export const RefundStatus = z.enum(["pending", "succeeded", "refused", "failed"]);
export type RefundStatus = z.infer<typeof RefundStatus>;

/** The transaction is in no block; it failed; no transfer in it is this refund; each one in it was another refund. */
export const ReturnRefusal = z.enum([
  "transfer_not_found",
  "transfer_failed",
  "transfer_not_matching",
  "transfer_used",
]);
export type ReturnRefusal = z.infer<typeof ReturnRefusal>;

/** One refund of a payment. Its id is the one that the instruction gave it. */
export const RefundBody = z.object({
  id: idOf("refund"),
  amount_minor: AmountMinor,
  status: RefundStatus,
  /** Why a transfer back was not taken for one; what a card's processor says stays at billing. */
  because: ReturnRefusal.optional(),
});
export type RefundBody = z.infer<typeof RefundBody>;

/**
 * A refund that was refused has moved nothing and never will; one that `failed` was made, and its bank has sent it back since. Who
 * still wants it gives a new one a new id.
 */
export const PaymentBody = z.object({
  id: idOf("payment"),
  charge: idOf("charge"),
  generation: z.int().min(1),
  status: PaymentStatus,
  rail: Rail,
  reference: z.string().nullable(),
  amount_minor: AmountMinor,
  captured_minor: AmountOrZero,
  refunded_minor: AmountOrZero,
  currency: Currency,
  decline_code: z.string().optional(),
  /** The newest 100, the newest first. */
  refunds: z.array(RefundBody).max(100).optional(),
});
export type PaymentBody = z.infer<typeof PaymentBody>;

export const PaymentList = z.object({ data: z.array(PaymentBody) });
export type PaymentList = z.infer<typeof PaymentList>;

/** POST /api/v1/payment-methods: a payment method the principal made at Stripe. */
export const EnrolPaymentMethod = z.strictObject({
  payment_method: z
    .string()
    .max(255)
    .regex(/^pm_[A-Za-z0-9_]+$/),
});
export type EnrolPaymentMethod = z.infer<typeof EnrolPaymentMethod>;

/** POST /api/v1/payment-methods/forget: the payer is no more; for the authorization server alone. */
export const ForgetPayer = z.strictObject({ organization_id: idOf("tenant") });
export type ForgetPayer = z.infer<typeof ForgetPayer>;

export const PaymentMethodBody = z.object({
  id: idOf("instrument"),
  brand: z.string(),
  last4: z.string().regex(/^\d{4}$/),
  default: z.boolean(),
});
export type PaymentMethodBody = z.infer<typeof PaymentMethodBody>;

export const PaymentMethodList = z.object({ data: z.array(PaymentMethodBody) });
export type PaymentMethodList = z.infer<typeof PaymentMethodList>;

/** GET /api/v1/wallets: what is sent there can be spent by the payer's mandates over that chain. */
export const PayerWalletList = z.object({
  data: z.array(z.object({ network: z.string(), address: z.string().regex(/^0x[0-9a-f]{40}$/) })),
});
export type PayerWalletList = z.infer<typeof PayerWalletList>;

const holder = {
  /** For Stripe's own form in the holder's browser: whoever has it can do nothing but confirm. */
  client_secret: z.string(),
  /** A page where the holder confirms, where there is one (the sandbox's); it takes `return_to`. */
  confirm_at: z.url().nullable(),
};

/** POST /api/v1/payment-methods/setups: a card that its holder saves in the browser. */
export const PaymentMethodSetup = z.object({ id: idOf("instrument"), setup_intent: z.string(), ...holder });
export type PaymentMethodSetup = z.infer<typeof PaymentMethodSetup>;

/** GET /api/v1/charges/{id}/confirmation at billing: for `stripe.confirmCardPayment` in the cardholder's browser. */
export const PaymentConfirmation = z.object({
  charge_id: idOf("charge"),
  payment_intent: z.string(),
  ...holder,
});
export type PaymentConfirmation = z.infer<typeof PaymentConfirmation>;
