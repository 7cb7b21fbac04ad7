import { z } from "zod";
import { AuditEntry } from "./audit.ts";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Rail, Timestamp } from "./values.ts";

/** An offer as it was served: the signed HTTP response, byte for byte (RFC 9421). */
export const SignedResponseOffer = z.strictObject({
  request: z.strictObject({ method: z.string().max(16), target_uri: z.string().max(2048) }),
  status: z.int().min(100).max(599).default(200),
  headers: z.record(z.string().max(128), z.string().max(8192)),
  body: z
    .string()
    .max(65_536)
    .regex(/^[A-Za-z0-9_-]*$/)
    .meta({ description: "The body's bytes, base64url" }),
});

const Token = z.string().min(1).max(16_384);

/** POST /api/v1/charges. */
export const CreateCharge = z.strictObject({
  offer: z.union([Token, SignedResponseOffer]),
  presentation: z.string().min(1).max(65_536),
  access_token: Token,
  merchant_nonce: z.string().min(1).max(512),
  capture: z.enum(["automatic", "manual"]).default("automatic"),
  serve_by_s: z.int().min(1).max(900).optional(),
});
export type CreateCharge = z.infer<typeof CreateCharge>;

/** The states of a charge, in the order of its life (design of the charge journal). */
export const ChargeStatus = z.enum([
  "created",
  "pending_approval",
  "held",
  "authorizing",
  "authorized",
  "serving",
  "committed",
  "capturing",
  "captured",
  "releasing",
  "released",
  "declined",
  "expired",
  "refunding",
  "refunded",
  "disputed",
  "won",
  "lost",
]);
export type ChargeStatus = z.infer<typeof ChargeStatus>;

export const ChargeBody = z.object({
  id: idOf("charge"),
  status: ChargeStatus,
  mandate_id: idOf("mandate"),
  agent_id: z.string(),
  merchant_id: idOf("merchant"),
  amount_minor: AmountMinor,
  captured_minor: AmountOrZero.optional(),
  refunded_minor: AmountOrZero.optional(),
  currency: Currency,
  rail: Rail,
  payment_reference: z.string().nullable(),
  offer_digest: Digest.optional(),
  decline_code: z.string().optional(),
  /** While a principal is asked (`pending_approval`): until when, and which approval it is. */
  approve_by: Timestamp.optional(),
  approval_id: idOf("approval").optional(),
  generation: z.int().min(1),
  livemode: z.boolean(),
  created_at: Timestamp,
  serve_by: Timestamp.optional(),
  capture_by: Timestamp.optional(),
  receipt: z.string().optional(),
});
export type ChargeBody = z.infer<typeof ChargeBody>;

/** POST …/{id}/capture. The digest is of the response as delivered; the merchant asserts it. */
export const CaptureCharge = z.strictObject({
  response_digest: Digest.optional(),
  request_digest: Digest.optional(),
  amount_minor: AmountMinor.optional(),
});
export type CaptureCharge = z.infer<typeof CaptureCharge>;

/** POST …/{id}/release. */
export const ReleaseCharge = z.strictObject({
  reason: z
    .enum(["upstream_failed", "upstream_timeout", "serve_by_passed", "cancelled", "abandoned"])
    .default("cancelled"),
});
export type ReleaseCharge = z.infer<typeof ReleaseCharge>;

/** POST …/{id}/commit: the merchant has shipped. */
export const CommitCharge = z.strictObject({});

/** POST …/{id}/amend: the offer that was presented with tax or shipping added, as a compact JWS. */
export const AmendCharge = z.strictObject({ offer: Token });
export type AmendCharge = z.infer<typeof AmendCharge>;

/** The hash of a transaction on an EVM chain. */
const TransactionHash = z
  .string()
  .regex(/^0x[0-9a-fA-F]{64}$/)
  .meta({ description: "Hash of a transaction", examples: [`0x${"5a".repeat(32)}`] });

/**
 * POST …/{id}/refund; without an amount, all that is left. What was paid over a chain the seller gives back itself, from the
 * wallet that was paid to the one that has paid, and names the transaction: it counts once a final block shows it.
 */
export const RefundCharge = z.strictObject({
  amount_minor: AmountMinor.optional(),
  transaction: TransactionHash.optional(),
});
export type RefundCharge = z.infer<typeof RefundCharge>;

/** GET /api/v1/charges: the caller's own, newest first. */
export const ChargeList = z.object({ data: z.array(ChargeBody), next_cursor: z.string().nullable() });
export type ChargeList = z.infer<typeof ChargeList>;

/** RFC 6962: the leaf is that of the entry, whose hash anybody computes from its canonical JSON. */
export const ReceiptProof = z.object({
  entry: AuditEntry,
  leaf_index: z.int().min(0),
  leaf: z.string(),
  tree_size: z.int().min(1),
  root_hash: z.string(),
  hashes: z.array(z.string()),
  /** A signed note (C2SP tlog-checkpoint). */
  checkpoint: z.string(),
});

/** GET /api/v1/receipts/{id}. */
export const ReceiptBody = z.object({
  id: idOf("receipt"),
  charge_id: idOf("charge"),
  /** The receipt itself: a compact JWS. */
  receipt: z.string(),
  issued_at: Timestamp,
  /**
   * That the receipt's `leaf_digest` stands in the audit log of whoever reads it (`payload.receipt_leaf` of the entry), under
   * a signed checkpoint; null for the few seconds before one covers it.
   */
  proof: ReceiptProof.nullable(),
});
export type ReceiptBody = z.infer<typeof ReceiptBody>;
