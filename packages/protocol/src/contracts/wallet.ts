import { fromRfc3339 } from "@remit/kernel";
import { z } from "zod";
import { ChargeStatus } from "./charges.ts";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Rail, Timestamp, text } from "./values.ts";

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
  /** What it may spend under all of them together, for each currency: no more than those above each leave. */
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

/**
 * GET /api/v1/wallet/totals: of the mandates that the principal gave itself and that stand, the currency with the most first.
 * What was handed on from them is counted in them.
 */
export const WalletTotals = z.object({
  data: z.array(
    z.object({
      currency: Currency,
      mandates: z.int().min(0),
      allowed_minor: AmountOrZero,
      spent_minor: AmountOrZero,
      held_minor: AmountOrZero,
      /** What of it may be spent now: nothing of what is paused or frozen. */
      spendable_minor: AmountOrZero,
    }),
  ),
});
export type WalletTotals = z.infer<typeof WalletTotals>;

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

/** POST /api/v1/wallet/setups: an agent that is to be the caller's own. */
export const CreateAgentSetup = z.strictObject({ name: text(120) });
export type CreateAgentSetup = z.infer<typeof CreateAgentSetup>;

/** Shown once; `id` asks what has become of it, and registers nobody. */
export const AgentSetupToken = z.object({ id: Digest, setup_token: z.string(), expires_at: Timestamp });
export type AgentSetupToken = z.infer<typeof AgentSetupToken>;

/** GET /api/v1/wallet/setups/{id}. */
export const AgentSetup = z.object({
  id: Digest,
  status: z.enum(["waiting", "used", "expired"]),
  /** As the person called it; the agent may call itself otherwise. */
  name: z.string(),
  expires_at: Timestamp,
  agent: z.object({ id: idOf("agent"), name: z.string() }).nullable(),
});
export type AgentSetup = z.infer<typeof AgentSetup>;

/** A day in the principal's zone. */
export const Day = z
  .string()
  .regex(/^\d{4}-\d{2}-\d{2}$/)
  .refine((day) => fromRfc3339(`${day}T00:00:00Z`) !== undefined, "no day of the calendar")
  .meta({ examples: ["2026-11-30"] });

/** What was spent on it; given back on it, whenever it was spent. Both rounded down to whole minor units. */
const spent = { spent_minor: AmountOrZero, refunded_minor: AmountOrZero, charges: z.int().min(0) };

/** GET /api/v1/wallet/spending: sums by agent, merchant, category, day or mandate, the greatest first. */
export const Spending = z.object({
  zone: z.string(),
  since: Day,
  until: Day,
  by: z.enum(["agent", "merchant", "category", "day", "mandate"]),
  /** `key` is an id, a category (empty where the merchant has none) or a day. */
  data: z.array(z.object({ key: z.string(), currency: Currency, ...spent })),
  /** There are more than are shown. */
  more: z.boolean(),
});
export type Spending = z.infer<typeof Spending>;

/** GET /api/v1/mandates/{id}/burn-down. */
export const BurnDown = z.object({
  mandate_id: idOf("mandate"),
  zone: z.string(),
  currency: Currency,
  cap_minor: AmountOrZero,
  remaining_minor: AmountOrZero,
  /** Those on which something was spent or given back, under this mandate and all that were handed on from it. */
  days: z.array(z.object({ day: Day, ...spent })),
  forecast: z.object({
    looks_back_days: z.int().min(1),
    per_day_minor: AmountOrZero,
    /** If it goes on like this, nothing is left on that day; null when it ends before, or nothing is spent. */
    empty_on: Day.nullable(),
  }),
});
export type BurnDown = z.infer<typeof BurnDown>;

/** GET /api/v1/wallet/forecast. */
export const SpendingForecast = z.object({
  zone: z.string(),
  today: Day,
  month: z.string(),
  data: z.array(
    z.object({
      currency: Currency,
      /** This month so far, less what was given back. */
      spent_minor: z.int(),
      /** At the end of the month, if it goes on as in the last 28 days and as far as mandates allow. */
      expected_minor: z.int(),
      remaining_minor: AmountOrZero,
    }),
  ),
});
export type SpendingForecast = z.infer<typeof SpendingForecast>;

/** GET and PUT /api/v1/wallet/settings: in which zone (IANA name) the principal's days begin, from now on. */
export const WalletSettings = z.strictObject({ zone: z.string().min(1).max(64) });
export type WalletSettings = z.infer<typeof WalletSettings>;
