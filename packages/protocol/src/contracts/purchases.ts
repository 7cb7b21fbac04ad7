import { z } from "zod";
import { PayByCard, PayByChain, SellingRail, sellingRails } from "./offers.ts";
import { AmountMinor, Currency, Digest, idOf, text } from "./values.ts";

// A merchant's own server before its handlers (`/api/v1/purchases`): the gateway asks for the payment and takes it, and
// what is sold is made where it always was.

/** What one handler sells. */
export const OwnSale = z.strictObject({
  name: text(200),
  sku: z.string().regex(/^[\x21-\x7e]{1,128}$/),
  description: text(500).optional(),
  amount_minor: AmountMinor,
  currency: Currency,
  pay_with: z.array(SellingRail).min(1).max(sellingRails.length).default(["mandate"]),
  card: PayByCard.optional(),
  x402: PayByChain.optional(),
  serve_by_s: z.int().min(1).max(900).default(60),
});
export type OwnSale = z.infer<typeof OwnSale>;

const Headers = z.array(z.tuple([z.string().min(1).max(256), z.string().max(98_304)])).max(300);
const Bytes = z.base64().max(11_500_000);

/** POST /api/v1/purchases: a buyer's request as it came. */
export const BeginPurchase = z.strictObject({
  sale: OwnSale,
  request: z.strictObject({
    method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]),
    /** The merchant's own origin, path and query. */
    url: z.string().max(8192),
    headers: Headers,
    /** Of the body, where there is one. */
    body_sha256: Digest.optional(),
  }),
});
export type BeginPurchase = z.infer<typeof BeginPurchase>;

const WholeAnswer = z.object({
  status: z.int().min(200).max(599),
  headers: Headers,
  /** Absent where it is the one that was sent in. */
  body: Bytes.optional(),
});

/** An answer for the buyer as it is, or a payment that is held until the handler has answered. */
export const BegunPurchase = z.object({
  answer: WholeAnswer.optional(),
  serve: z
    .object({
      purchase: idOf("claim"),
      rail: SellingRail,
      payer: z.string(),
      /** What the handler may be told of who pays, as header fields. */
      tells: z.record(z.string(), z.string()),
    })
    .optional(),
});
export type BegunPurchase = z.infer<typeof BegunPurchase>;

/** POST /api/v1/purchases/{id}/answer: what the handler made, for the same request. */
export const AnswerPurchase = BeginPurchase.extend({
  answer: z.strictObject({ status: z.int().min(200).max(599), headers: Headers, body: Bytes }),
});
export type AnswerPurchase = z.infer<typeof AnswerPurchase>;

export const AnsweredPurchase = z.object({ answer: WholeAnswer });
export type AnsweredPurchase = z.infer<typeof AnsweredPurchase>;
