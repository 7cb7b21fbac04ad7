import { z } from "zod";
import { AmountOrZero, Currency, idOf, Rail, Timestamp } from "./values.ts";

/** From a volume on: basis points of what is captured, and a fixed part, at least a minimum; never more than the amount. */
const FeeTier = z.strictObject({
  from_minor: AmountOrZero.meta({
    description: "From which volume, captured in the last month that is closed, this tier holds",
  }),
  basis_points: z.int().min(0).max(10_000),
  fixed_minor: AmountOrZero.default(0),
  minimum_minor: AmountOrZero.default(0),
});

/** One way only: kept back from what was captured, and shown as paid on the invoice, or asked for by invoice. */
const Collected = z.enum(["withheld", "invoiced"]);

/** How a share becomes whole units; what is not fee is the merchant's. */
const FeeRounding = z.enum(["half-even", "down", "up"]);

/** POST /api/v1/fee-schedules. Without a merchant it is for all that have no schedule of their own. */
export const SetFeeSchedule = z
  .strictObject({
    rail: Rail,
    organization: idOf("tenant").optional(),
    merchant: idOf("merchant").optional(),
    currency: Currency.optional(),
    collection: Collected.default("withheld"),
    rounding: FeeRounding.default("half-even"),
    effective_from: Timestamp.optional(),
    effective_until: Timestamp.optional(),
    tiers: z.array(FeeTier).min(1).max(20),
  })
  .refine(
    ({ organization, merchant }) => (organization === undefined) === (merchant === undefined),
    "a merchant is named with its organization, and neither without the other",
  );

export const FeeScheduleBody = z.object({
  id: idOf("schedule"),
  rail: z.string(),
  organization: idOf("tenant").nullable(),
  merchant: idOf("merchant").nullable(),
  currency: z.string().nullable(),
  collection: Collected,
  rounding: FeeRounding,
  effective_from: Timestamp,
  effective_until: Timestamp.nullable(),
  tiers: z.array(FeeTier),
  set_by: z.string(),
  set_at: Timestamp,
});
export const FeeScheduleList = z.object({ data: z.array(FeeScheduleBody) });
