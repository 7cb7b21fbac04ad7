import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";
import { invariant, Secret } from "@remit/kernel";
import type { Hex } from "@remit/protocol";
import {
  type AuthorizationSource,
  type Chain,
  callOf,
  readPayment,
  signerWithKey,
  type TransferPayment,
} from "@remit/rails/x402";
import { sandboxKeys } from "@remit/testkit";

/** A call to it, and what it may do with the payment in it. */
export type RemoteCall = {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: { readonly paymentPayload: { payload: object }; readonly paymentRequirements: object };
  /** Brings the payment on the chain. While no block is made, the same transaction however often it is asked. */
  readonly send: () => Promise<Hex>;
};

/** Somebody else's facilitator: another party at an address of its own, which answers as it likes. */
export type Remote = {
  readonly origin: string;
  readonly calls: RemoteCall[];
  answer: (call: RemoteCall, res: ServerResponse) => void | Promise<void>;
  close(): Promise<void>;
};

export const says = (res: ServerResponse, body: unknown, status = 200): void =>
  void res.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));

/** Says yes to everything, and keeps its word. */
export async function obliging({ path, send }: RemoteCall, res: ServerResponse): Promise<void> {
  if (path.endsWith("/verify")) says(res, { isValid: true });
  else says(res, { success: true, transaction: await send() });
}

export async function startRemote(chain: Chain): Promise<Remote> {
  const hear = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const body = (await json(req)) as RemoteCall["body"]; // written by the code under test
    const call = { path: req.url ?? "", headers: req.headers, body, send: () => broadcast(chain, body) };
    remote.calls.push(call);
    await remote.answer(call, res);
  };
  const server = createServer((req, res) => void hear(req, res));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo; // it listens on a port
  const remote: Remote = {
    origin: `http://127.0.0.1:${port}`,
    calls: [],
    answer: obliging,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return remote;
}

export function paymentOf(source: AuthorizationSource): TransferPayment {
  const read = readPayment(source);
  invariant(read.kind === "payment", "a test's payment can be read");
  return read.payment;
}

async function broadcast(
  chain: Chain,
  { paymentPayload, paymentRequirements }: RemoteCall["body"],
): Promise<Hex> {
  // What was sent is as the code under test has read it before.
  const source = { ...paymentPayload, requirements: paymentRequirements } as AuthorizationSource;
  const payment = paymentOf(source);
  const signer = signerWithKey(new Secret(sandboxKeys.facilitator));
  const { base, tip } = await chain.fees();
  const { raw, transaction } = await signer.sign({
    chainId: chain.chainId,
    nonce: await chain.transactionCount(signer.address),
    to: payment.domain.verifyingContract,
    data: callOf(payment),
    gas: 300_000n,
    maxFee: base * 2n + tip,
    tip,
  });
  invariant((await chain.send(raw)) === "taken", "the chain takes the transaction");
  return transaction;
}
