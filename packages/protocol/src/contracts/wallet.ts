import { z } from "zod";
import { ChargeStatus } from "./charges.ts";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Rail, Timestamp } from "./values.ts";

/** An agent that the caller's tenant has given a mandate to. */
export const WalletAgent = z.object({
  id: idOf("agent"),
  /** As its owner wrote it; nobody verified it. */
  name: z.string(),
  /** What its operator says of it. */
  status: z.enum(["active", "suspended", "decommissioned"]),
  /** What the principal says of it: nothing is charged under any mandate of a frozen agent. */
  frozen: z.boolean(),
  frozen_at: Timestamp.nullable(),
  known_since: Timestamp,
  /** Mandates that are neither revoked nor expired. */
  mandates: z.int().min(0),
  /** What those may still spend together, for each currency. */
  remaining: z.array(z.object({ currency: Currency, remaining_minor: z.int().min(0) })),
});
export type WalletAgent = z.infer<typeof WalletAgent>;

/** GET /api/v1/wallet/agents. */
export const WalletAgentList = z.object({
  /** Everything is frozen, whatever is said of each. */
  all_frozen: z.boolean(),
  data: z.array(WalletAgent),
  next_cursor: z.string().nullable(),
});
export type WalletAgentList = z.infer<typeof WalletAgentList>;

/** POST /api/v1/wallet/freeze and /unfreeze: of all agents. */
export const WalletStanding = z.object({ all_frozen: z.boolean(), all_frozen_at: Timestamp.nullable() });
export type WalletStanding = z.infer<typeof WalletStanding>;

/** GET /api/v1/wallet/charges/{id}: a charge as who pays it sees it. */
export const WalletCharge = z.object({
  id: idOf("charge"),
  status: ChargeStatus,
  mandate_id: idOf("mandate"),
  agent_id: z.string(),
  merchant_id: idOf("merchant"),
  merchant_origin: z.string(),
  amount_minor: AmountMinor,
  captured_minor: AmountOrZero,
  refunded_minor: AmountOrZero,
  currency: z.string(),
  rail: Rail,
  instrument_id: z.string().nullable(),
  payment_reference: z.string().nullable(),
  /** Why it was declined or went back: a code. */
  because: z.string().nullable(),
  offer_id: z.string(),
  offer_digest: Digest,
  livemode: z.boolean(),
  created_at: Timestamp,
  authorized_at: Timestamp.nullable(),
  captured_at: Timestamp.nullable(),
  serve_by: Timestamp,
  capture_by: Timestamp,
  receipt_id: idOf("receipt").nullable(),
  /** The receipt itself, a compact JWS, where one charge was asked for. */
  receipt: z.string().optional(),
});
export type WalletCharge = z.infer<typeof WalletCharge>;

/** GET /api/v1/wallet/charges. */
export const WalletChargeList = z.object({ data: z.array(WalletCharge), next_cursor: z.string().nullable() });
export type WalletChargeList = z.infer<typeof WalletChargeList>;
