import type { JsonObject } from "@remit/protocol";
import {
  type ReadPayment,
  readPayment,
  reasons,
  type Settlement,
  type Verification,
} from "@remit/rails/x402";
import { z } from "zod";

const text = (max: number) => z.string().max(max);
// What a protocol of others may hold besides is passed over: extensions, descriptions, whatever comes next.
const Payload = z.record(z.string(), z.unknown());
const Extra = z.looseObject({ name: text(100).optional(), version: text(20).optional() }).nullish();

const RequirementsV2 = z.looseObject({
  scheme: text(64),
  network: text(128),
  amount: text(78),
  asset: text(256),
  payTo: text(256),
  maxTimeoutSeconds: z.int().min(1).optional(),
  extra: Extra,
});
const RequirementsV1 = z.looseObject({
  scheme: text(64),
  network: text(128),
  maxAmountRequired: text(78),
  asset: text(256),
  payTo: text(256),
  maxTimeoutSeconds: z.int().min(1).optional(),
  extra: Extra,
});

/** What both calls are sent (x402 v2 "Facilitator Interface", and the same of v1). */
export const FacilitatorCall = z.discriminatedUnion("x402Version", [
  z.looseObject({
    x402Version: z.literal(2),
    paymentPayload: z.looseObject({
      accepted: z.looseObject({ scheme: text(64), network: text(128) }),
      payload: Payload,
    }),
    paymentRequirements: RequirementsV2,
  }),
  z.looseObject({
    x402Version: z.literal(1),
    paymentPayload: z.looseObject({ scheme: text(64), network: text(128), payload: Payload }),
    paymentRequirements: RequirementsV1,
  }),
]);
export type FacilitatorCall = z.output<typeof FacilitatorCall>;

export const VerifyAnswer = z.strictObject({
  isValid: z.boolean(),
  invalidReason: z.string().optional(),
  payer: z.string().optional(),
});
export const SettleAnswer = z.strictObject({
  success: z.boolean(),
  transaction: z.string(),
  network: z.string(),
  payer: z.string().optional(),
  errorReason: z.string().optional(),
  errorMessage: z.string().optional(),
  /** Of `upto`: what was taken, in the token's smallest units. */
  amount: z.string().optional(),
});
export const SupportedAnswer = z.strictObject({
  kinds: z.array(
    z.strictObject({
      x402Version: z.int(),
      scheme: z.string(),
      network: z.string(),
      extra: z.strictObject({ facilitatorAddress: z.string() }).optional(),
    }),
  ),
  extensions: z.array(z.string()),
  signers: z.record(z.string(), z.array(z.string())),
});

/** The payment that a call is about. What the payer says to have accepted must be of the same kind as what is asked for. */
export function paymentOf(call: FacilitatorCall): ReadPayment {
  const { paymentPayload: sent, paymentRequirements: wanted } = call;
  // Read by zod as an object of JSON.
  const payload = sent.payload as JsonObject;
  const said = call.x402Version === 2 ? call.paymentPayload.accepted : call.paymentPayload;
  if (said.scheme !== wanted.scheme) return { kind: "invalid", reason: reasons.scheme };
  if (said.network !== wanted.network) return { kind: "invalid", reason: reasons.network };
  const amount =
    call.x402Version === 2 ? call.paymentRequirements.amount : call.paymentRequirements.maxAmountRequired;
  const { scheme, network, asset, payTo, maxTimeoutSeconds, extra } = wanted;
  const { name, version } = extra ?? {};
  const domain = { ...(name !== undefined && { name }), ...(version !== undefined && { version }) };
  return readPayment({
    payload,
    requirements: {
      scheme,
      network,
      asset,
      payTo,
      amount,
      extra: domain,
      ...(maxTimeoutSeconds !== undefined && { maxTimeoutSeconds }),
    },
  });
}

type Known = Exclude<Verification, { kind: "unknown" }>;

export const verifyAnswerOf = (
  verified: Known,
  payer: string | undefined,
): z.output<typeof VerifyAnswer> => ({
  isValid: verified.kind === "valid",
  ...(verified.kind === "invalid" && { invalidReason: verified.reason }),
  ...(payer !== undefined && { payer }),
});

const messages: Readonly<Record<string, string>> = {
  [reasons.duplicate]:
    "This authorization has been settled before, for somebody who was told so; nothing was paid again.",
  [reasons.pending]: "The transaction is not on the chain yet. Ask again with the same payment.",
};

export function settleAnswerOf(
  settlement: Settlement,
  of: { readonly network: string; readonly payer: string | undefined; readonly amount?: bigint },
): z.output<typeof SettleAnswer> {
  const reason =
    settlement.kind === "failed"
      ? settlement.reason
      : settlement.kind === "unknown"
        ? reasons.pending
        : undefined;
  const message = reason === undefined ? undefined : messages[reason];
  return {
    success: settlement.kind === "settled",
    transaction: settlement.transaction ?? "",
    network: of.network,
    ...(of.payer !== undefined && { payer: of.payer }),
    ...(settlement.kind === "settled" && of.amount !== undefined && { amount: of.amount.toString() }),
    ...(reason !== undefined && { errorReason: reason }),
    ...(message !== undefined && { errorMessage: message }),
  };
}
