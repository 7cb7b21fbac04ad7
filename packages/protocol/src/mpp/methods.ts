import type { JsonObject } from "../encoding/index.ts";
import { Problem } from "../problems.ts";
import {
  type CardPayload,
  type CardTerms,
  parseCardPayload,
  parseTransfer,
  type SignedTransfer,
  type TransferTerms,
} from "../x402/index.ts";

/** By card, with a shared payment token. */
export const stripeMethod = { method: "stripe", intent: "charge" } as const;
/** By a token on an EVM chain. */
export const evmMethod = { method: "evm", intent: "charge" } as const;

/** `request` of stripe/charge. */
export const stripeRequest = (terms: CardTerms): JsonObject => ({
  amount: terms.amount,
  currency: terms.currency,
  methodDetails: { networkId: terms.networkId, paymentMethodTypes: [...terms.paymentMethodTypes] },
});

/** `request` of evm/charge, of whose credentials only signed transfers (EIP-3009) are taken. */
export const evmRequest = (terms: TransferTerms & { readonly decimals: number }): JsonObject => ({
  amount: terms.amount.toString(),
  currency: terms.asset.address,
  recipient: terms.payTo,
  methodDetails: {
    chainId: Number(terms.network.slice("eip155:".length)),
    credentialTypes: ["authorization"],
    decimals: terms.decimals,
  },
});

/** Payload of stripe/charge. */
export const parseStripePayload = (payload: JsonObject): CardPayload => parseCardPayload(payload);

/** Payload of evm/charge: the members of the authorization, and the signature, beside `type`. */
export function parseEvmPayload(payload: JsonObject): SignedTransfer {
  const { type, signature, ...authorization } = payload;
  if (type !== "authorization")
    throw new Problem("credential_malformed", { detail: "payload.type is not authorization." });
  return parseTransfer({ ...(signature !== undefined && { signature }), authorization });
}
