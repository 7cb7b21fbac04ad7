import type { JsonObject } from "@remit/protocol";
import { z } from "zod";

const resource = { method: z.string(), url: z.string() };
const Account = z.string().max(200).optional();

/** What a payment by card is asked for with, as its claim keeps it. Money as our JSON writes it. */
export const CardOrder = z.strictObject({
  spt: z.string(),
  amount_minor: z.int().min(1),
  currency: z.string(),
  account: Account,
  resource: z.strictObject(resource),
});
export type CardOrder = z.output<typeof CardOrder>;

/** The same for a signed transfer: the payer's payload, and our own requirements that it answers. */
export const TransferOrder = z.strictObject({
  payload: z.custom<JsonObject>((value) => typeof value === "object" && value !== null),
  requirements: z.strictObject({
    scheme: z.enum(["exact", "upto"]),
    network: z.string(),
    amount: z.string(),
    asset: z.string(),
    payTo: z.string(),
    maxTimeoutSeconds: z.int(),
    extra: z.looseObject({ name: z.string(), version: z.string() }),
  }),
  decimals: z.int(),
  confirmations: z.int().optional(),
  /** The address of the facilitator; this gateway's own when absent. */
  facilitator: z.string().optional(),
  resource: z.strictObject(resource),
});
export type TransferOrder = z.output<typeof TransferOrder>;
