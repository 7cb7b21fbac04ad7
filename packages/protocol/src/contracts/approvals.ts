import { z } from "zod";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Timestamp, text } from "./values.ts";

export const ApprovalStatus = z.enum(["pending", "approved", "denied", "expired"]);
export type ApprovalStatus = z.infer<typeof ApprovalStatus>;

/** What an agent asks to be allowed, as fields and, built from them alone, in words. */
export const ApprovalQuestion = z.object({
  currency: Currency,
  /** The most that it can ever cost. */
  amount_minor: AmountMinor,
  per_charge_minor: AmountMinor.nullable(),
  merchants: z.array(z.string()),
  categories: z.array(z.string()),
  rails: z.array(z.string()),
  uses: z.enum(["single", "multiple"]),
  /** In the agent's words. */
  purpose: z.string().nullable(),
  valid_until: Timestamp,
  /** The resources its tokens would be for. */
  resources: z.array(z.string()),
  sentences: z.array(z.string()),
});

/** The purchase that waits, from the merchant's signed offer and the mandate alone. */
export const ApprovalPurchase = z.object({
  charge_id: idOf("charge"),
  merchant: z.object({ id: idOf("merchant"), origin: z.string(), name: z.string() }),
  offer: z.object({
    id: z.string(),
    digest: Digest,
    /** In the merchant's words. */
    name: z.string(),
    line_items: z.array(
      z.object({ name: z.string(), amount_minor: AmountOrZero, quantity: z.int().nullable() }),
    ),
  }),
  currency: Currency,
  /** What is held for it, and at most taken. */
  amount_minor: AmountMinor,
  /** What is left of the mandate once this is held, as it stood when the question was put. */
  remaining_minor: AmountOrZero,
  /** Why a person is asked. */
  because: z.enum(["above_limit", "first_purchase_at_merchant", "tool_changed", "authentication_required"]),
  /** In the agent's words, signed with its key; never ours. */
  reason: z.string().nullable(),
  sentences: z.array(z.string()),
});

/** How a yes is confirmed: the challenge, and options for `navigator.credentials.get` as JSON where there is a passkey. */
export const ApprovalConfirmation = z.object({
  /** base64url(SHA-256(JCS({charge, offer_digest, amount, payee, agent}))). */
  challenge: Digest,
  passkey: z.string().nullable(),
});

const common = {
  id: idOf("approval"),
  status: ApprovalStatus,
  /** The name is as its owner wrote it; nobody verified it. */
  agent: z.object({ id: z.string(), name: z.string() }),
  /** In the agent's words (OpenID CIBA §7.1), never ours. */
  binding_message: z.string().nullable(),
  times_asked: z.int().min(1),
  asked_at: Timestamp,
  expires_at: Timestamp,
  answered_at: Timestamp.nullable(),
  mandate_id: idOf("mandate").nullable(),
};

/** What an agent asks to be allowed to spend from now on. */
export const MandateApproval = z.object({ ...common, kind: z.literal("mandate"), asks: ApprovalQuestion });

/** One purchase under a mandate that wants a yes of its own; its amount is held meanwhile. */
export const ChargeApproval = z.object({
  ...common,
  kind: z.literal("charge"),
  purchase: ApprovalPurchase,
  /** While it waits and a single one is read. */
  confirm: ApprovalConfirmation.optional(),
});

/**
 * One purchase whose card issuer wants the cardholder. A wallet has it confirmed by Stripe's form with the `client_secret` of
 * `GET /api/v1/charges/{id}/confirmation` at billing, and approves it here; a wallet without that form can only decline it.
 */
export const ScaApproval = z.object({
  ...common,
  kind: z.literal("sca"),
  purchase: ApprovalPurchase,
});

const exampleDigest = "C7pYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
const exampleApproval = {
  id: "apv_01arz3ndektsv4rrffq69g5fav",
  kind: "charge",
  status: "pending",
  agent: { id: "agt_01arz3ndektsv4rrffq69g5fav", name: "Research agent" },
  binding_message: "The report you wanted",
  times_asked: 1,
  asked_at: "2030-05-04T03:02:01Z",
  expires_at: "2030-05-04T03:12:01Z",
  answered_at: null,
  mandate_id: "mnd_01arz3ndektsv4rrffq69g5fav",
  purchase: {
    charge_id: "chg_01arz3ndektsv4rrffq69g5fav",
    merchant: { id: "mrc_01arz3ndektsv4rrffq69g5fav", origin: "https://shop.example", name: "Shop" },
    offer: { id: "offer-1", digest: exampleDigest, name: "A report", line_items: [] },
    currency: "EUR",
    amount_minor: 7_500,
    remaining_minor: 42_500,
    because: "above_limit",
    reason: "The report you wanted",
    sentences: ["Pay 75.00 EUR to https://shop.example (“Shop”)."],
  },
  confirm: { challenge: exampleDigest, passkey: null },
};

/** GET /api/v1/approvals/{id}: something that waits, or waited, for a principal's answer. */
export const ApprovalBody = z
  .discriminatedUnion("kind", [MandateApproval, ChargeApproval, ScaApproval])
  .meta({ examples: [exampleApproval] });
export type ApprovalBody = z.infer<typeof ApprovalBody>;

/** GET /api/v1/approvals: newest first. */
export const ApprovalList = z.object({ data: z.array(ApprovalBody), next_cursor: z.string().nullable() });
export type ApprovalList = z.infer<typeof ApprovalList>;

/** POST /api/v1/approvals/{id}/deny. */
export const DenyApproval = z.strictObject({ reason: text(500).optional() });
export type DenyApproval = z.infer<typeof DenyApproval>;

/** POST /api/v1/approvals/{id}/approve. */
export const ApproveApproval = z.strictObject({
  /** What `navigator.credentials.get` answered to the options of `confirm`, as JSON (WebAuthn L3 §5.1). */
  assertion: z.string().max(24_576).optional(),
});
export type ApproveApproval = z.infer<typeof ApproveApproval>;
