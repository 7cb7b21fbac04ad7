import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import express from "express";
import fastify from "fastify";
import { Hono } from "hono";
import {
  expressPaywall,
  fastifyPaywall,
  honoPaywall,
  type Paywall,
  type Sale,
  webPaywall,
} from "../src/index.ts";

/** What a handler answers to one request, whatever serves it. */
export type Goods = {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly parts: readonly string[];
};
export type Handler = (asked: { readonly body: string; readonly payer: string | undefined }) => Goods;

/** One thing that is sold. */
export type Sold = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly sale: Sale;
  readonly handler: Handler;
};
export type Running = { readonly address: string; close(): Promise<void> };
export type StartServer = (paywall: Paywall, sold: readonly Sold[]) => Promise<Running>;

async function listen(listener: RequestListener): Promise<Running> {
  const server: Server = createServer(listener);
  // A machine under load pauses for longer than node keeps an idle connection.
  server.keepAliveTimeout = 0;
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    // A server that listens on a port has an address of this shape.
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const bodyOf = (body: unknown): string =>
  body === undefined || body === null ? "" : typeof body === "string" ? body : JSON.stringify(body);

const onExpress: StartServer = (paywall, sold) => {
  const app = express();
  for (const { method, path, sale, handler } of sold) {
    const verb = method === "GET" ? "get" : "post";
    // A parser behind it, as shops have one: what the paywall has read must reach the handler all the same.
    app[verb](path, expressPaywall(paywall, sale), express.json(), (req, res) => {
      const { payment } = req as { payment?: { agentId: string } };
      const { status, headers = {}, parts } = handler({ body: bodyOf(req.body), payer: payment?.agentId });
      res.status(status).set(headers);
      for (const part of parts) res.write(part);
      res.end();
    });
  }
  return listen(app);
};

const onFastify: StartServer = async (paywall, sold) => {
  const app = fastify();
  for (const { method, path, sale, handler } of sold)
    app.route({
      method,
      url: path,
      ...(fastifyPaywall(paywall, sale) as object),
      handler: (req, reply) => {
        const { payment } = req as { payment?: { agentId: string } };
        const { status, headers = {}, parts } = handler({ body: bodyOf(req.body), payer: payment?.agentId });
        return reply.code(status).headers(headers).send(parts.join(""));
      },
    });
  return { address: await app.listen({ host: "127.0.0.1", port: 0 }), close: () => app.close() };
};

const streamOf = (parts: readonly string[]): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: (controller) => {
      for (const part of parts) controller.enqueue(new TextEncoder().encode(part));
      controller.close();
    },
  });

async function served(app: { fetch: (request: Request) => Response | Promise<Response> }): Promise<Running> {
  const { promise, resolve } = Promise.withResolvers<AddressInfo>();
  const server = serve({ fetch: app.fetch, port: 0, hostname: "127.0.0.1" }, resolve);
  const { port } = await promise;
  return {
    address: `http://127.0.0.1:${port}`,
    close: () => new Promise((done) => void server.close(() => done())),
  };
}

const onHono: StartServer = (paywall, sold) => {
  const app = new Hono();
  for (const { method, path, sale, handler } of sold)
    app.on(method, path, honoPaywall(paywall, sale) as never, async (c) => {
      const { status, headers, parts } = handler({ body: await c.req.text(), payer: undefined });
      return new Response(streamOf(parts), { status, headers: headers ?? {} });
    });
  return served(app);
};

const onTheWeb: StartServer = (paywall, sold) => {
  const handlers = new Map(
    sold.map(({ method, path, sale, handler }) => [
      `${method} ${path}`,
      webPaywall(
        paywall,
        sale,
      )(async (request) => {
        const { status, headers, parts } = handler({ body: await request.text(), payer: undefined });
        return new Response(streamOf(parts), { status, headers: headers ?? {} });
      }),
    ]),
  );
  const none = (): Response => new Response(null, { status: 404 });
  return served({
    fetch: (request) => {
      const method = request.method === "HEAD" ? "GET" : request.method;
      const handler = handlers.get(`${method} ${new URL(request.url).pathname}`) ?? none;
      return Promise.resolve(handler(request)).catch(() => new Response("broken", { status: 500 }));
    },
  });
};

/** The four, by what stands before the handler. */
export const servers: readonly [string, StartServer][] = [
  ["Express", onExpress],
  ["Fastify", onFastify],
  ["Hono", onHono],
  ["a web-standard server", onTheWeb],
];
