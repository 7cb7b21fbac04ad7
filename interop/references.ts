import { createServer } from "node:http";
import { x402Facilitator } from "@x402/core/facilitator";
import { HTTPFacilitatorClient, x402ResourceServer } from "@x402/core/server";
import { toFacilitatorEvmSigner } from "@x402/evm";
import { ExactEvmScheme as FacilitatorScheme } from "@x402/evm/exact/facilitator";
import { ExactEvmScheme as ServerScheme } from "@x402/evm/exact/server";
import { paymentMiddleware } from "@x402/express";
import express from "express";
import { Mppx, stripe } from "mppx/server";
import Stripe from "stripe";
import { createWalletClient, http, publicActions } from "viem";
import { privateKeyToAccount } from "viem/accounts";
import { baseSepolia } from "viem/chains";
import { type Goods, listen, paths } from "./goods.ts";
import { chainId } from "./instance.ts";

/** A shop of another maker that sells the goods, as its documentation says to build one. */
export type Shop = { readonly origin: string; close(): void };

/** An account of anvil's that nobody else here sends from. */
const facilitatorKey = "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba";

/** The x402 facilitator of `@x402/core` and `@x402/evm`, over HTTP. */
async function openFacilitator(rpc: string): Promise<Shop> {
  const account = privateKeyToAccount(facilitatorKey);
  const wallet = createWalletClient({ account, chain: baseSepolia, transport: http(rpc) }).extend(
    publicActions,
  );
  const signer = toFacilitatorEvmSigner({
    address: account.address,
    readContract: (of) => wallet.readContract({ ...of, args: of.args ?? [] }),
    verifyTypedData: (of) => wallet.verifyTypedData(of as never),
    writeContract: (of) => wallet.writeContract({ ...of, args: of.args ?? [] } as never),
    sendTransaction: (of) => wallet.sendTransaction(of as never),
    waitForTransactionReceipt: (of) => wallet.waitForTransactionReceipt({ ...of, pollingInterval: 20 }),
    getCode: (of) => wallet.getCode(of),
  });
  const facilitator = new x402Facilitator();
  facilitator.register(`eip155:${chainId}`, new FacilitatorScheme(signer));
  const app = express().use(express.json());
  app.post("/verify", async ({ body }, response) => {
    response.json(await facilitator.verify(body.paymentPayload, body.paymentRequirements));
  });
  app.post("/settle", async ({ body }, response) => {
    response.json(await facilitator.settle(body.paymentPayload, body.paymentRequirements));
  });
  app.get("/supported", (_, response) => void response.json(facilitator.getSupported()));
  return open(app);
}

/** `@x402/express` before an Express application. */
export async function openX402Shop(
  goods: Goods,
  { rpc, payTo }: { rpc: string; payTo: string },
): Promise<Shop> {
  const facilitator = await openFacilitator(rpc);
  return sellOverX402(goods, { facilitator: facilitator.origin, payTo }, [facilitator]);
}

/** The same shop, with whichever facilitator. */
export async function sellOverX402(
  goods: Goods,
  { facilitator, payTo }: { facilitator: string; payTo: string },
  also: readonly Shop[] = [],
): Promise<Shop> {
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url: facilitator })).register(
    `eip155:${chainId}`,
    new ServerScheme(),
  );
  const accepts = { scheme: "exact", price: "$0.60", network: `eip155:${chainId}`, payTo } as const;
  const routes = Object.fromEntries(paths.map((at) => [`GET ${at}`, { accepts, description: "goods" }]));
  const app = express().use(paymentMiddleware(routes, server));
  for (const at of paths)
    app.get(at, async (_, response) => {
      const { status, body } = await goods.make(at);
      response.status(status).type("json").send(body);
    });
  const shop = await open(app);
  return { origin: shop.origin, close: () => [shop, ...also].forEach((one) => one.close()) };
}

/** `mppx` before a plain HTTP server, with the official Stripe SDK at the sandbox. */
export async function openMppShop(goods: Goods, sandbox: string): Promise<Shop> {
  const mppx = Mppx.create({
    methods: [
      stripe.charge({ client: stripeAt(sandbox), networkId: "internal", paymentMethodTypes: ["card"] }),
    ],
    realm: "localhost",
    secretKey: "a-secret-of-this-suite-of-32-bytes!",
  });
  const paid = Mppx.toNodeListener(mppx.charge({ amount: "0.60", currency: "usd", decimals: 2 }));
  const server = createServer((request, response) => {
    void (async () => {
      const { status: paying } = await paid(request, response);
      if (paying === 402) return;
      const { status, body } = await goods.make(new URL(request.url ?? "/", "http://shop").pathname);
      response.statusCode = status;
      response.setHeader("content-type", "application/json").end(body);
    })().catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  return { origin: await listen(server), close: () => server.closeAllConnections() };
}

export function stripeAt(sandbox: string): Stripe {
  const { hostname, port } = new URL(sandbox);
  return new Stripe("sk_test_interop", { host: hostname, port, protocol: "http", maxNetworkRetries: 0 });
}

async function open(app: express.Express): Promise<Shop> {
  const server = createServer(app);
  return { origin: await listen(server), close: () => server.closeAllConnections() };
}
