import { z } from "zod";
import { AmountMinor, AmountOrZero, Currency, Cursor, idOf, Origin, Timestamp, text } from "./values.ts";

// What a merchant has for sale, as it is said in `/api/v1/offers`: one upstream, its route table, and how it is paid.

/** What may pay: a mandate, a card by its token, or a signed transfer of a stablecoin. */
export const sellingRails = ["card", "x402", "mandate"] as const;
export const SellingRail = z.enum(sellingRails);
export type SellingRail = z.infer<typeof SellingRail>;

export const OfferName = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, "is a name of lower-case letters, digits and hyphens")
  .meta({ examples: ["weather"] });

/** A decimal in the offer's currency; finer than its smallest unit where stablecoins pay. */
export const OfferAmount = z
  .string()
  .regex(/^(?:0|[1-9]\d{0,11})(?:\.\d{1,18})?$/, "is a decimal such as 0.05")
  .meta({ examples: ["0.05"] });

export const priceUnits = ["request", "mtok", "mb", "hour"] as const;

/** So much for each unit used; for one request no more than the ceiling, and no less than the least. */
const MeteredPrice = z.strictObject({
  per: z.enum(priceUnits),
  amount: OfferAmount,
  ceiling: OfferAmount,
  least: OfferAmount.optional(),
});

export const OfferPrice = z.union([OfferAmount, MeteredPrice]);
export type OfferPrice = z.infer<typeof OfferPrice>;

export const offerMethods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const;
export const offerGates = ["paid", "free", "auth"] as const;

/** A tool of an MCP server by its name, or `*` for every tool that no other line names. */
export const ToolName = z.string().regex(/^(?:\*|[A-Za-z0-9_./-]{1,128})$/, "is the name of a tool, or *");

/** One line of the route table; the most specific path that matches a request holds. */
export const OfferRoute = z.strictObject({
  path: z.string().min(1).max(1024),
  /** At this path an MCP server is sold by its tools, and this line is about one of them. */
  tool: ToolName.optional(),
  methods: z
    .array(z.enum(offerMethods))
    .min(1)
    .max(offerMethods.length)
    .default([...offerMethods]),
  gate: z.enum(offerGates).default("paid"),
  /** The offer's own price where it says none. */
  price: OfferPrice.optional(),
  summary: text(200).optional(),
  /** Sold to who knows it, and told of nowhere. */
  hidden: z.boolean().optional(),
});
export type OfferRoute = z.infer<typeof OfferRoute>;

export const PayByCard = z.strictObject({
  /** The seller's profile on the network that issues payment tokens. */
  network_id: z.string().regex(/^[\x21-\x7e]{1,200}$/),
  account: z
    .string()
    .regex(/^acct_\w{1,100}$/)
    .optional(),
});

/** Where the stablecoin arrives. */
export const PayByChain = z.strictObject({
  /** CAIP-2, or the name that people use, such as `base-sepolia`. */
  chain: z.string().regex(/^[a-z0-9:-]{1,64}$/),
  pay_to: z.string().regex(/^0x[0-9a-fA-F]{40}$/, "is an address of 20 bytes"),
  confirmations: z.int().min(1).max(1000).optional(),
});

/** A path without a slash at its end, which the upstream does not see. */
export const StripPrefix = z
  .string()
  .max(500)
  .regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, "is a path such as /services/weather");

/** A page of the upstream that answers below 400 while it is well. */
export const HealthCheck = z.strictObject({
  path: z
    .string()
    .max(1024)
    .regex(/^\/[\x21\x22\x24-\x7e]*$/, "is a path such as /health"),
  interval_s: z.int().min(1).max(3600).default(10),
});

const offerMembers = {
  upstream: Origin,
  health: HealthCheck.optional(),
  strip_prefix: StripPrefix.optional(),
  currency: Currency.default("USD"),
  price: OfferPrice.optional(),
  pay_with: z.array(SellingRail).min(1).max(sellingRails.length).default(["mandate"]),
  card: PayByCard.optional(),
  x402: PayByChain.optional(),
  routes: z
    .array(OfferRoute)
    .min(1)
    .max(200)
    .default([{ path: "/*", methods: [...offerMethods], gate: "paid" }]),
  description: text(500).optional(),
  deliver: z.enum(["buffer", "stream"]).default("buffer"),
  settle: z.enum(["after", "before"]).default("after"),
  serve_by_s: z.int().min(1).max(900).default(60),
};

/** POST /api/v1/offers. */
export const CreateOffer = z.strictObject({ name: OfferName, merchant: idOf("merchant"), ...offerMembers });
export type CreateOffer = z.infer<typeof CreateOffer>;

/** PUT /api/v1/offers/{id}: all that it sells, anew; its name and its merchant stay. */
export const ReplaceOffer = z.strictObject(offerMembers);
export type ReplaceOffer = z.infer<typeof ReplaceOffer>;

/** POST /api/v1/offers/{id}/drain: from now on nothing new is sold; what is under way is finished. */
export const DrainOffer = z.strictObject({
  grace_s: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(60),
});

const DroppedRail = z.object({ rail: SellingRail, because: z.string() });

const SoldRoute = z.object({
  id: z.string(),
  method: z.enum(offerMethods),
  path: z.string(),
  tool: ToolName.optional(),
  gate: z.enum(offerGates),
  pays_with: z.array(SellingRail),
  not_sold_with: z.array(DroppedRail),
});

export const OfferBody = z.object({
  id: idOf("offer"),
  organization_id: idOf("tenant"),
  name: OfferName,
  merchant: idOf("merchant"),
  source: z.enum(["api", "kubernetes"]),
  status: z.enum(["live", "draining", "drained", "conflict"]),
  /** Why it is not live, where something stands in its way. */
  because: z.string().nullable(),
  /** Where it is sold; null while its merchant is not known here. */
  origin: z.string().nullable(),
  ...offerMembers,
  /** Each method of each route, with what pays for it. */
  sold: z.array(SoldRoute),
  drained_at: Timestamp.nullable(),
  created_at: Timestamp,
  updated_at: Timestamp,
});
export type OfferBody = z.infer<typeof OfferBody>;

export const OfferPage = z.object({ data: z.array(OfferBody), next_cursor: Cursor.nullable() });
export type OfferPage = z.infer<typeof OfferPage>;

/** GET /api/v1/offers/{id}/sales. */
export const OfferSales = z.object({
  /** Requests that this gateway process has seen since it started. */
  requests: z.object({ since: Timestamp, total: z.int(), unpaid: z.int(), refused: z.int(), open: z.int() }),
  /** What was paid, ever, by currency, and how much of it was given back since (`/api/v1/refunds`). */
  paid: z.array(
    z.object({
      currency: z.string(),
      payments: z.int(),
      amount_minor: z.int(),
      refunded_minor: z.int().default(0),
    }),
  ),
  /** The newest first. */
  latest: z.array(
    z.object({
      at: Timestamp,
      method: z.string(),
      path: z.string(),
      amount_minor: z.int(),
      refunded_minor: z.int().default(0),
      currency: z.string(),
      payer: z.string(),
      /** By which it is refunded. */
      payment: z.string().optional(),
    }),
  ),
});
export type OfferSales = z.infer<typeof OfferSales>;

/** What a seller gives back of a payment by card or by a transfer (`/api/v1/refunds`). */
export const PaymentRefund = z.object({
  id: idOf("refund"),
  payment: idOf("claim"),
  /** `refunding`: it is under way, or nobody knows yet; ask again. */
  status: z.enum(["needs_signature", "refunding", "refunded", "refused"]),
  amount_minor: AmountMinor,
  currency: Currency,
  rail: z.enum(["card", "x402"]),
  /** Of the payment, this and every other refund that was not refused. */
  refunded_minor: AmountOrZero,
  created_at: Timestamp,
  /** The card network's refund, or the transaction of the transfer back. */
  reference: z.string().optional(),
  because: z.string().optional(),
  /** For the wallet that was paid (EIP-712), where this gateway has not its key. */
  to_sign: z.record(z.string(), z.unknown()).optional(),
  /** The seller's signed statement, once it is given back. */
  receipt: z.string().optional(),
});
export type PaymentRefund = z.infer<typeof PaymentRefund>;
