import { z } from "zod";
import { AmountMinor, Currency, idOf, Origin, Rail, Timestamp } from "./values.ts";

const policy = {
  /** The most that one charge may be, one for a currency; none is no limit. */
  max_charge: z
    .array(z.strictObject({ currency: Currency, amount_minor: AmountMinor }))
    .max(50)
    .default([]),
  /** None named: every agent. */
  agents_allowed: z.array(idOf("agent")).max(500).default([]),
  agents_refused: z.array(idOf("agent")).max(500).default([]),
  /** Issuers of mandates. None named: every one that this server charges for. */
  issuers_allowed: z.array(Origin).max(50).default([]),
  rails_refused: z.array(Rail).max(10).default([]),
};

/** PUT /api/v1/merchant-policy, with the version that was read in If-Match: what is not named is not restricted. */
export const SetMerchantPolicy = z.strictObject(policy);
export type SetMerchantPolicy = z.infer<typeof SetMerchantPolicy>;

/** GET /api/v1/merchant-policy: what the caller's merchant accepts. Version 0 while nothing was ever said. */
export const MerchantPolicy = z.object({
  ...policy,
  merchant_id: idOf("merchant"),
  version: z.int().min(0),
  changed_at: Timestamp.nullable(),
});
export type MerchantPolicy = z.infer<typeof MerchantPolicy>;
