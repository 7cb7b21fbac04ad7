import { z } from "zod";
import { rails, velocityPeriods } from "../mandate/index.ts";
import { AmountMinor, AmountOrZero, Currency, idOf, Timestamp } from "./values.ts";

export const MandateStatus = z.enum(["active", "suspended", "revoked", "expired", "exhausted"]);
export type MandateStatus = z.infer<typeof MandateStatus>;

const Velocity = z.strictObject({
  period: z.enum(velocityPeriods),
  amount_minor: AmountMinor.optional(),
  count: z.int().min(1).max(1_000_000).optional(),
  /** IANA name; UTC unless told. */
  zone: z.string().max(64).optional(),
});

const StepUp = z.union([
  z.strictObject({ above_minor: AmountMinor }),
  z.strictObject({ first_purchase_at_merchant: z.literal(true) }),
]);

/** GET /api/v1/mandates/{id}: what it allows now, narrowed or as it was given. Amounts are in minor units of the mandate's currency, rounded down. */
export const MandateBody = z.object({
  id: idOf("mandate"),
  status: MandateStatus,
  agent_id: z.string(),
  currency: Currency,
  amount_minor: AmountMinor,
  per_charge_minor: AmountMinor.nullable(),
  held_minor: AmountOrZero,
  spent_minor: AmountOrZero,
  remaining_minor: AmountOrZero,
  merchants: z.array(z.string()),
  categories: z.array(z.string()),
  rails: z.array(z.string()),
  uses: z.enum(["single", "multiple"]),
  velocity: z.array(Velocity),
  step_up: z.array(StepUp),
  purpose: z.string().nullable(),
  livemode: z.boolean(),
  valid_from: Timestamp,
  valid_until: Timestamp,
  created_at: Timestamp,
  narrowed_at: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
});
export type MandateBody = z.infer<typeof MandateBody>;

/** POST /api/v1/mandates/{id}/revoke. */
export const RevokeMandate = z.strictObject({ reason: z.string().max(500).optional() });
export type RevokeMandate = z.infer<typeof RevokeMandate>;

const some = <T extends z.ZodType>(element: T): z.ZodArray<T> => z.array(element).min(1).max(50);

/** POST /api/v1/mandates/{id}/narrow: what is named takes the place of what was, and may only allow less. */
export const NarrowMandate = z
  .strictObject({
    amount_minor: AmountMinor,
    per_charge_minor: AmountMinor,
    merchants: some(z.string().max(200)),
    categories: some(z.string().max(64)),
    rails: some(z.enum(rails)),
    uses: z.literal("single"),
    velocity: some(Velocity),
    /** Asks more often: these beside those there are. */
    step_up: some(StepUp),
    valid_until: Timestamp,
  })
  .partial()
  .refine((asked) => Object.keys(asked).length > 0, "Name at least one limit.");
export type NarrowMandate = z.infer<typeof NarrowMandate>;

/** GET /api/v1/mandates: newest first. */
export const MandateList = z.object({ data: z.array(MandateBody), next_cursor: z.string().nullable() });
export type MandateList = z.infer<typeof MandateList>;

/** GET /api/v1/mandates/{id}/credential, for the agent that holds it: the SD-JWT with every disclosure. */
export const MandateCredential = z.object({ id: idOf("mandate"), mandate_jwt: z.string() });
export type MandateCredential = z.infer<typeof MandateCredential>;
