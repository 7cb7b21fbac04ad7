import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { Secret } from "@remit/kernel";
import { type AuthorizationSource, type Chain, openChain, readPayment } from "@remit/rails/x402";
import {
  chainFacilitator,
  type SandboxChain,
  sandboxAddresses,
  sandboxTokens,
  testChain,
} from "@remit/testkit";
import type { BillingConfig } from "../src/index.ts";

/** A chain, somebody's facilitator on it, and where it can go wrong. */
export type ChainShop = {
  readonly chain: SandboxChain;
  readonly reads: Chain;
  readonly x402: NonNullable<BillingConfig["x402"]>;
  readonly facilitatorHost: string;
  readonly breakNext: ReturnType<typeof chainFacilitator>["breakNext"];
  /** Sends a token from one of the chain's own accounts, as its wallet does; the transaction's hash. */
  send(of: Sending): Promise<string>;
  /** From now on its node has no receipt of this transaction, as one that prunes has none of old ones. */
  forget(transaction: string): void;
  /** Lets so many blocks pass that none before can be undone. */
  finish(): Promise<unknown>;
  /** How often it was asked to settle. */
  readonly asked: () => number;
  close(): Promise<void>;
};

export type Sending = {
  readonly from: string;
  readonly to: string;
  readonly units: bigint;
  readonly token?: string;
  /** How often, in one transaction, where `from` is a wallet that can: `twiceWallet`. */
  readonly twice?: true;
};

const word = (value: bigint): string => value.toString(16).padStart(64, "0");
const wordOf = (address: string): string => address.slice(2).toLowerCase().padStart(64, "0");

/** A wallet of somebody's that does each call it is given twice in one transaction. */
export const twiceWallet = `0x${"72".repeat(20)}`;
// CALLDATACOPY of all but the first word; then twice: CALL of the address in the first word with it.
const copy = "60446020600037";
const call = "600060006044600060006000355af150";
const twiceCode = `0x${copy}${call}${call}00`;

async function send(chain: SandboxChain, sending: Sending): Promise<string> {
  const { from, to, units, token = sandboxTokens.usdc, twice } = sending;
  const data = `0xa9059cbb${wordOf(to)}${word(units)}`;
  if (twice === undefined) {
    // The node signs for its own accounts.
    return (await chain.call("eth_sendTransaction", [{ from, to: token, data }])) as string;
  }
  await chain.call("anvil_setCode", [from, twiceCode]);
  const order = {
    from: sandboxAddresses.seller,
    to: from,
    gas: "0x493e0",
    data: `0x${wordOf(token)}${data.slice(2)}`,
  };
  return (await chain.call("eth_sendTransaction", [order])) as string; // as above
}

export const network = "eip155:84532";
const walletSeed = "5eed".repeat(16);

/** The facilitator speaks the API of x402 v2 over HTTP, as anybody's does. */
export async function openChainShop(): Promise<ChainShop> {
  const chain = await testChain();
  const reads = openChain({ chainId: 84_532, rpcUrl: chain.rpc });
  const { facilitator, breakNext } = chainFacilitator(reads);
  let asked = 0;
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      // Written by the code under test.
      const { paymentPayload, paymentRequirements } = (await json(request)) as {
        paymentPayload: { payload: AuthorizationSource["payload"] };
        paymentRequirements: AuthorizationSource["requirements"];
      };
      const read = readPayment({ payload: paymentPayload.payload, requirements: paymentRequirements });
      if (read.kind === "invalid") throw new TypeError(read.reason);
      asked++;
      const settled = await facilitator.settle(read.payment, {
        key: String(asked),
        attempt: 1,
        confirmations: 1,
      });
      if (settled.kind === "unknown") return void request.socket.destroy();
      const failed = settled.kind === "failed" ? { errorReason: settled.reason } : {};
      response.writeHead(200, { "content-type": "application/json" });
      response.end(
        JSON.stringify({
          success: settled.kind === "settled",
          transaction: settled.transaction ?? "",
          ...failed,
        }),
      );
    };
    void answer();
  });
  const node = forgetfulNode(chain.rpc);
  const [host, nodeHost] = await Promise.all([server, node.server].map(listening));
  return {
    chain,
    reads,
    x402: {
      rpcUrls: { [network]: `http://${nodeHost}` },
      facilitator: { url: `http://${host}` },
      walletSeed: new Secret(walletSeed),
    },
    facilitatorHost: host ?? "",
    breakNext,
    send: (of) => send(chain, of),
    forget: (transaction) => void node.forgotten.add(transaction),
    finish: () => chain.call("anvil_mine", ["0x60"]),
    asked: () => asked,
    close: async () => {
      for (const one of [server, node.server]) {
        one.closeAllConnections();
        await new Promise((done) => one.close(done));
      }
      await chain.stop();
    },
  };
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  // A TCP server has an address with a port.
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

type Asked = { readonly id: number; readonly method: string; readonly params: readonly unknown[] };

/** A node that answers as another does, but for receipts that it has forgotten. */
function forgetfulNode(rpc: string): { readonly server: Server; readonly forgotten: Set<string> } {
  const forgotten = new Set<string>();
  const isForgotten = ({ method, params: [transaction] }: Asked): boolean =>
    method === "eth_getTransactionReceipt" && forgotten.has(String(transaction));
  const one = async (asked: Asked): Promise<unknown> => {
    if (isForgotten(asked)) return { jsonrpc: "2.0", id: asked.id, result: null };
    const headers = { "content-type": "application/json" };
    return (await fetch(rpc, { method: "POST", headers, body: JSON.stringify(asked) })).json();
  };
  const server = createServer((request, response) => {
    const answer = async (): Promise<void> => {
      // Written by the code under test: one question, or many of the same moment.
      const asked = (await json(request)) as Asked | readonly Asked[];
      const said = Array.isArray(asked) ? await Promise.all(asked.map(one)) : await one(asked as Asked);
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(said));
    };
    answer().catch(() => request.socket.destroy());
  });
  return { server, forgotten };
}

/** As a merchant's offer names it. */
export const transferOf = (units: bigint, more: object = {}) => ({
  network,
  asset: sandboxTokens.usdc,
  amount: units.toString(),
  pay_to: sandboxAddresses.seller,
  name: "USDC",
  version: "2",
  ...more,
});
