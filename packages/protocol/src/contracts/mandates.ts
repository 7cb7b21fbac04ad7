import { z } from "zod";
import { AmountMinor, AmountOrZero, Currency, idOf, Timestamp } from "./values.ts";

export const MandateStatus = z.enum(["active", "suspended", "revoked", "expired", "exhausted"]);
export type MandateStatus = z.infer<typeof MandateStatus>;

/** GET /api/v1/mandates/{id}. Amounts are in minor units of the mandate's currency, rounded down. */
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
  purpose: z.string().nullable(),
  livemode: z.boolean(),
  valid_from: Timestamp,
  valid_until: Timestamp,
  created_at: Timestamp,
  revoked_at: Timestamp.nullable(),
});
export type MandateBody = z.infer<typeof MandateBody>;

/** POST /api/v1/mandates/{id}/revoke. */
export const RevokeMandate = z.strictObject({ reason: z.string().max(500).optional() });
export type RevokeMandate = z.infer<typeof RevokeMandate>;

/** GET /api/v1/mandates: newest first. */
export const MandateList = z.object({ data: z.array(MandateBody), next_cursor: z.string().nullable() });
export type MandateList = z.infer<typeof MandateList>;

/** GET /api/v1/mandates/{id}/credential, for the agent that holds it: the SD-JWT with every disclosure. */
export const MandateCredential = z.object({ id: idOf("mandate"), mandate_jwt: z.string() });
export type MandateCredential = z.infer<typeof MandateCredential>;
