import { invariant } from "@remit/kernel";
import type { Outbound } from "@remit/platform/outbound";
import { evmChainIdOf } from "@remit/protocol";
import type { PaymentEngine } from "@remit/rails";
import {
  createRemoteFacilitator,
  createReturns,
  createSigningEngine,
  openChain,
  type Returns,
  type SigningSource,
  type Wallets,
  walletsOfSeed,
} from "@remit/rails/x402";
import type { X402Config } from "./x402-config.ts";

export type X402Rail = {
  readonly wallets: Wallets;
  readonly engine: PaymentEngine<SigningSource>;
  readonly returns: Returns;
};

/** The x402 rail of this billing: somebody else brings what is signed here on the chain, which we read for ourselves. */
export function openX402Rail(
  { rpcUrls, facilitator: { url, token }, walletSeed, confirmations }: X402Config,
  outbound: Outbound,
): X402Rail {
  const open = ([network, rpcUrl]: [string, string]) => {
    const chainId = evmChainIdOf(network);
    invariant(chainId !== undefined, "a configured network is an EVM chain");
    const chain = openChain({ chainId, rpcUrl });
    return [
      network,
      { chain, facilitator: createRemoteFacilitator({ url, token, outbound, chain }) },
    ] as const;
  };
  const networks = new Map(Object.entries(rpcUrls).map(open));
  const wallets = walletsOfSeed(walletSeed);
  const engine = createSigningEngine({
    wallets,
    on: (network) => networks.get(network),
    ...(confirmations === undefined ? {} : { confirmations }),
  });
  return { wallets, engine, returns: createReturns((network) => networks.get(network)?.chain) };
}
