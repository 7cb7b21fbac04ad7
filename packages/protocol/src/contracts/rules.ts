import { z } from "zod";
import { velocityPeriods } from "../mandate/index.ts";
import { AmountMinor, AmountOrZero, Currency, idOf, Origin, Timestamp } from "./values.ts";

const standingLimit = {
  /** Of one agent's mandates together; of all mandates where none is named. */
  agent_id: idOf("agent").optional(),
  /** It counts what is spent under mandates in this currency. */
  currency: Currency,
  period: z.enum(velocityPeriods),
  /** IANA name. */
  zone: z.string().min(1).max(64).default("UTC"),
  amount_minor: AmountMinor.optional(),
  count: z.int().min(1).max(1_000_000).optional(),
};

const StandingLimit = z
  .strictObject(standingLimit)
  .refine((one) => one.amount_minor !== undefined || one.count !== undefined, "Name an amount or a count.");

const Threshold = z.strictObject({ currency: Currency, above_minor: AmountMinor });
const Category = z.string().regex(/^[a-z0-9][a-z0-9_.-]{0,63}$/);

const rules = {
  /** At most one for an agent (or for all), currency, period and zone. */
  limits: z.array(StandingLimit).max(50).default([]),
  /** A purchase above it waits for the principal's yes, whatever its mandate says; one for a currency. */
  step_up: z.array(Threshold).max(20).default([]),
  /** Nothing is bought at these origins. */
  blocked_merchants: z.array(Origin).max(500).default([]),
  /** Nothing is bought of a merchant that the directory lists under one of these. */
  blocked_categories: z.array(Category).max(100).default([]),
};

/** PUT /api/v1/wallet/rules, with the version that was read in If-Match: what is not named is not ruled. */
export const SetWalletRules = z.strictObject(rules);
export type SetWalletRules = z.infer<typeof SetWalletRules>;

/** GET /api/v1/wallet/rules: what a principal decided for all of its mandates, with what each limit has counted. */
export const WalletRules = z.object({
  ...rules,
  /** The ETag, as a number; 0 while nothing was ever ruled. */
  version: z.int().min(0),
  limits: z.array(
    z.object({
      ...standingLimit,
      zone: z.string(),
      /** In the period that is open now, rounded down to whole minor units. */
      used: z.object({ opens_at: Timestamp, amount_minor: AmountOrZero, count: z.int().min(0) }),
    }),
  ),
  changed_at: Timestamp.nullable(),
});
export type WalletRules = z.infer<typeof WalletRules>;
