import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { answerQuestions } from "./pinned.ts";

// The peers as their documentation sets them up: nothing of ours in them, one paid route, and no database.
const require = createRequire(new URL("./package.json", import.meta.url));
const load = (name: string) => import(require.resolve(name));

const listen = async (server: Server): Promise<string> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // a TCP server's address
};

const network = "eip155:84532";
const payTo = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC";

/** `@x402/express` with a facilitator that knows the network; an unpaid request asks it nothing. */
async function x402(): Promise<string> {
  const [
    { default: express },
    { paymentMiddleware },
    { HTTPFacilitatorClient, x402ResourceServer },
    { ExactEvmScheme },
  ] = await Promise.all([
    load("express"),
    load("@x402/express"),
    load("@x402/core/server"),
    load("@x402/evm/exact/server"),
  ]);
  const supported = { kinds: [{ x402Version: 2, scheme: "exact", network }], extensions: [], signers: {} };
  const facilitator = createServer((_, res) => {
    res.setHeader("content-type", "application/json");
    res.end(JSON.stringify(supported));
  });
  const url = await listen(facilitator);
  const server = new x402ResourceServer(new HTTPFacilitatorClient({ url })).register(
    network,
    new ExactEvmScheme(),
  );
  const accepts = { scheme: "exact", price: "$0.60", network, payTo };
  const app = express().use(paymentMiddleware({ "GET /paid": { accepts, description: "goods" } }, server));
  app.get("/paid", (_: IncomingMessage, res: ServerResponse) => void res.end("goods"));
  return listen(createServer(app));
}

/** `mppx` with its Stripe method. */
async function mppx(): Promise<string> {
  const [{ Mppx, stripe }, { default: Stripe }] = await Promise.all([load("mppx/server"), load("stripe")]);
  const client = new Stripe("sk_test_bench");
  const shop = Mppx.create({
    methods: [stripe.charge({ client, networkId: "internal", paymentMethodTypes: ["card"] })],
    realm: "localhost",
    secretKey: "a-secret-of-this-bench-of-32-bytes!",
  });
  const paid = Mppx.toNodeListener(shop.charge({ amount: "0.60", currency: "usd", decimals: 2 }));
  return listen(createServer((req, res) => void paid(req, res)));
}

// RFC 9110 §7.6.1, as any proxy must.
const hopByHop = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
]);

const passing = (raw: readonly string[]): string[] => {
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2)
    if (!hopByHop.has((raw[i] ?? "").toLowerCase())) kept.push(raw[i] ?? "", raw[i + 1] ?? "");
  return kept;
};

/** A bare proxy over undici's `Pool.dispatch`: hop-by-hop headers, backpressure and hang-ups, and nothing else. */
async function undici(upstream: string): Promise<string> {
  const { Pool } = await import("undici");
  const pool = new Pool(upstream, { connections: 128, pipelining: 1 });
  const server = createServer((req, res) => {
    let hangUp: (() => void) | undefined;
    res.on("close", () => {
      if (!res.writableFinished) hangUp?.();
    });
    const body = req.method === "GET" ? null : req;
    pool.dispatch(
      { path: req.url ?? "/", method: req.method as "GET", headers: passing(req.rawHeaders), body },
      {
        onRequestStart: (controller) => {
          hangUp = () => controller.abort(new Error("gone"));
        },
        onResponseStart: (controller, status) => {
          res.writeHead(
            status,
            passing((controller.rawHeaders as Buffer[]).map((part) => part.toString("latin1"))),
          );
        },
        onResponseData: (controller, chunk) => {
          if (res.write(chunk)) return;
          controller.pause();
          res.once("drain", () => controller.resume());
        },
        onResponseEnd: () => void res.end(),
        onResponseError: () => void res.destroy(),
      },
    );
  });
  return listen(server);
}

answerQuestions({ x402, mppx, undici });

process.once("SIGTERM", () => process.exit(0));
