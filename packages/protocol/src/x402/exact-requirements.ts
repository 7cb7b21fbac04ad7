import type { JsonObject } from "../encoding/index.ts";
import { Problem } from "../problems.ts";
import { evmNetworksV1, exactScheme, parseExactEvmPayload, type SignedTransfer } from "./exact-evm.ts";
import type { PaymentRequirement } from "./messages.ts";

/** How long the buyer has to pay, in seconds. */
export const transferTimeoutSeconds = 300;

/** What is asked for: a token's contract with its EIP-712 names, who is paid, and how much. */
export type TransferTerms = {
  readonly network: string;
  readonly asset: { readonly address: string; readonly name: string; readonly version: string };
  readonly payTo: string;
  readonly amount: bigint;
};

/** The entry of a 402 for `exact`. `binding`, echoed with the rest, says for which request it was made. */
export const exactRequirement = (terms: TransferTerms, binding?: string): PaymentRequirement => ({
  scheme: exactScheme,
  network: terms.network,
  amount: terms.amount.toString(),
  asset: terms.asset.address,
  payTo: terms.payTo,
  maxTimeoutSeconds: transferTimeoutSeconds,
  extra: {
    name: terms.asset.name,
    version: terms.asset.version,
    ...(binding !== undefined && { binding }),
  },
});

/** Networks that x402 v1 has names for; its clients refuse a whole answer over a name they do not know. */
const version1NameOf = (network: string): string | undefined =>
  Object.entries(evmNetworksV1).find(([, caip2]) => caip2 === network)?.[0];

/** The same entry as x402 v1 writes it; undefined on a network that v1 has no name for. */
export function exactRequirementV1(
  terms: TransferTerms,
  resource: { readonly url: string; readonly description: string },
): JsonObject | undefined {
  const network = version1NameOf(terms.network);
  if (network === undefined) return undefined;
  return {
    scheme: exactScheme,
    network,
    maxAmountRequired: terms.amount.toString(),
    resource: resource.url,
    description: resource.description,
    mimeType: "",
    payTo: terms.payTo,
    maxTimeoutSeconds: transferTimeoutSeconds,
    asset: terms.asset.address,
    extra: { name: terms.asset.name, version: terms.asset.version },
  };
}

const halfOrder = BigInt("0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0");

/** A signed transfer as a buyer may send it. */
export const parseTransfer = (payload: JsonObject): SignedTransfer =>
  lowSigned(parseExactEvmPayload(payload));

/** EIP-2: of the two signatures that an account can make of each other, only the one with the low `s` is taken. */
export function lowSigned(transfer: SignedTransfer): SignedTransfer {
  const { signature } = transfer;
  if (signature.length === 132 && BigInt(`0x${signature.slice(66, 130)}`) > halfOrder)
    throw new Problem("credential_malformed", { detail: "payload.signature has a high s (EIP-2)." });
  return transfer;
}
