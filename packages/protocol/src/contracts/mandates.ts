import { z } from "zod";
import { rails, velocityPeriods } from "../mandate/index.ts";
import { AmountMinor, AmountOrZero, Currency, Digest, idOf, Timestamp, text } from "./values.ts";

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

const AcceptedAsset = z.strictObject({ asset: z.string().max(200), peg: Currency });

const LineItem = z.strictObject({
  name: z.string().min(1).max(200),
  sku: z.string().min(1).max(200).optional(),
  quantity: z.int().min(1).max(1_000_000).optional(),
  amount_minor: AmountMinor.optional(),
});

/** What a rule has counted in the period that is open now; a limit that is absent is null. */
export const MandateWindow = z.object({
  period: z.enum(velocityPeriods),
  zone: z.string(),
  opens_at: Timestamp,
  amount_minor: AmountMinor.nullable(),
  used_minor: AmountOrZero,
  count: z.int().nullable(),
  used_count: z.int().min(0),
});
export type MandateWindow = z.infer<typeof MandateWindow>;

/** GET /api/v1/mandates/{id}: what it allows now, narrowed or as it was given. Amounts are in minor units of the mandate's currency, rounded down. */
export const MandateBody = z.object({
  id: idOf("mandate"),
  status: MandateStatus,
  agent_id: z.string(),
  currency: Currency,
  amount_minor: AmountMinor,
  per_charge_minor: AmountMinor.nullable(),
  /** What may be held and spent in all: `amount_minor`, or more while a narrower cap waits for holds to end. */
  cap_minor: AmountOrZero,
  held_minor: AmountOrZero,
  spent_minor: AmountOrZero,
  remaining_minor: AmountOrZero,
  merchants: z.array(z.string()),
  categories: z.array(z.string()),
  rails: z.array(z.string()),
  uses: z.enum(["single", "multiple"]),
  also_accepts: z.array(AcceptedAsset),
  offer_digest: Digest.nullable(),
  line_items: z.array(LineItem),
  velocity: z.array(Velocity),
  /** One for each rule of `velocity`, in its order. */
  windows: z.array(MandateWindow),
  step_up: z.array(StepUp),
  purpose: z.string().nullable(),
  /** Which card or wallet pays, for the principal's eyes; null is the default one. */
  instrument_id: z.string().nullable(),
  /** What it allows in plain words. */
  sentences: z.array(z.string()),
  /** What its agent asks for is granted out of it without asking. */
  auto: z.boolean(),
  /** The mandate that it was handed on from; null for one that a principal gave. */
  parent_id: idOf("mandate").nullable(),
  /** The principal froze the agent, or everything: as suspended until that is lifted. */
  frozen: z.boolean(),
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

const narrower = {
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
};

/** POST /api/v1/mandates/{id}/narrow: what is named takes the place of what was, and may only allow less. */
export const NarrowMandate = z
  .strictObject(narrower)
  .partial()
  .refine((asked) => Object.keys(asked).length > 0, "Name at least one limit.");
export type NarrowMandate = z.infer<typeof NarrowMandate>;

/**
 * POST /api/v1/mandates/{id}/hand-on: the agent that holds it hands a narrower one to another agent of its organization.
 * What is named may only allow less; what is not named is as in the mandate itself.
 */
export const HandOnMandate = z
  .strictObject({ ...narrower, purpose: text(500) })
  .partial()
  .extend({ agent_id: idOf("agent") });
export type HandOnMandate = z.infer<typeof HandOnMandate>;

/** The mandate that was handed on, bound to the other agent's key: an SD-JWT with every disclosure. */
export const HandedMandate = z.object({
  id: idOf("mandate"),
  parent_id: idOf("mandate"),
  agent_id: idOf("agent"),
  mandate_jwt: z.string(),
});
export type HandedMandate = z.infer<typeof HandedMandate>;

/**
 * POST /api/v1/mandates: a mandate that a principal gives an agent of its own accord. The agent is one of the principal's
 * organization, or one that it has given a mandate before.
 */
export const GiveMandate = z.strictObject({
  agent_id: idOf("agent"),
  currency: Currency,
  amount_minor: AmountMinor,
  per_charge_minor: AmountMinor.optional(),
  velocity: some(Velocity).optional(),
  merchants: some(z.string().max(200)).optional(),
  categories: some(z.string().max(64)).optional(),
  rails: some(z.enum(rails)).optional(),
  also_accepts: some(AcceptedAsset).optional(),
  uses: z.enum(["single", "multiple"]).default("multiple"),
  offer_digest: Digest.optional(),
  line_items: some(LineItem).optional(),
  step_up: some(StepUp).optional(),
  purpose: text(500).optional(),
  valid_until: Timestamp.optional(),
  instrument_id: idOf("instrument").optional(),
  /**
   * What the agent asks for is granted out of this mandate without asking, as far as it fits; all of it together is still
   * this one budget. Needs an amount for a period.
   */
  auto: z.boolean().default(false),
});
export type GiveMandate = z.infer<typeof GiveMandate>;

/** One change in the life of a mandate. `details` are ids, amounts and codes; personal words never stand here. */
export const MandateEvent = z.object({
  id: z.string(),
  type: z.string(),
  at: Timestamp,
  actor: z.object({ type: z.string(), id: z.string() }),
  details: z.record(z.string(), z.unknown()),
});
export type MandateEvent = z.infer<typeof MandateEvent>;

/** GET /api/v1/mandates/{id}/history: newest first. */
export const MandateHistory = z.object({ data: z.array(MandateEvent), next_cursor: z.string().nullable() });
export type MandateHistory = z.infer<typeof MandateHistory>;

/** GET /api/v1/mandates: newest first. */
export const MandateList = z.object({ data: z.array(MandateBody), next_cursor: z.string().nullable() });
export type MandateList = z.infer<typeof MandateList>;

/** GET /api/v1/mandates/{id}/credential, for the agent that holds it: the SD-JWT with every disclosure. */
export const MandateCredential = z.object({ id: idOf("mandate"), mandate_jwt: z.string() });
export type MandateCredential = z.infer<typeof MandateCredential>;
