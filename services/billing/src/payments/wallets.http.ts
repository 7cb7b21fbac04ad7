import { type Route, route } from "@remit/platform/http";
import { PayerWalletList } from "@remit/protocol/contracts";
import type { Wallets } from "@remit/rails/x402";

export type WalletRouteDeps = {
  /** The networks on which mandates are charged here (CAIP-2). */
  readonly networks: readonly string[];
  readonly wallets: Wallets | undefined;
};

/** Where a payer's money must be for its mandates to be charged over a chain. */
export const payerWalletRoute = ({ networks, wallets }: WalletRouteDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/wallets",
    summary:
      "The wallets that mandates are charged from over chains, one per network; none where no chain is read.",
    needs: { scope: "wallet:read" },
    answers: { 200: PayerWalletList },
    handle: async ({ caller }) => {
      const wallet = await wallets?.(caller.tenant);
      const data =
        wallet === undefined ? [] : networks.map((network) => ({ network, address: wallet.address }));
      return { status: 200, body: { data } };
    },
  });
