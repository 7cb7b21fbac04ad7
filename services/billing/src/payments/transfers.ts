import { invariant } from "@remit/kernel";
import { type Hex, Problem, tokensOf } from "@remit/protocol";
import { transferNonce, type Wallets } from "@remit/rails/x402";
import type { Order } from "./instructions.ts";
import type { SigningTerms } from "./payment.ts";

/** The payer's wallet and all that it will sign, before it does. */
export async function termsToSign(
  wallets: Wallets | undefined,
  order: Order,
): Promise<SigningTerms | undefined> {
  const { transfer } = order;
  if (transfer === undefined) return undefined;
  if (tokensOf(transfer).units !== order.amount.units)
    throw new Problem("instruction_invalid", { detail: "the transfer is of another amount" });
  const wallet = await wallets?.(order.payer);
  if (wallet === undefined)
    throw new Problem("instrument_missing", { detail: "The payer has no wallet here." });
  const { network, name, version } = transfer;
  // Both match the pattern of an address.
  const [asset, payTo] = [transfer.asset, transfer.pay_to].map((at) => at.toLowerCase() as Hex);
  invariant(asset !== undefined && payTo !== undefined, "two of two");
  return { network, asset, payTo, name, version, from: wallet.address, nonce: transferNonce(order) };
}
