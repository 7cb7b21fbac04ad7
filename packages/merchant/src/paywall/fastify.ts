import { concatBytes, type HeaderPair, Problem } from "@remit/protocol";
import type { Answer } from "./answers.ts";
import { collected, headersOf, type NodeIncoming, type NodeOutgoing, sendTo } from "./express.ts";
import { type Entered, type Payer, type Paywall, problemBodyOf, type Sale } from "./paywall.ts";

// Fastify's request and reply, as far as they are looked at.
type Req = { readonly raw: NodeIncoming; payment?: Payer };
type Reply = {
  readonly raw: NodeOutgoing;
  readonly statusCode: number;
  hijack(): unknown;
  code(status: number): unknown;
  getHeaders(): Readonly<Record<string, number | string | readonly string[] | undefined>>;
  header(name: string, value: string | string[]): unknown;
  removeHeader(name: string): unknown;
};

/** Hooks for one route of Fastify: `app.get("/report", fastifyPaywall(paywall, sale), handler)`. */
export type FastifyHooks = {
  preParsing(req: Req, reply: Reply, payload: Stream): Promise<Stream | undefined>;
  onSend(req: Req, reply: Reply, payload: unknown): Promise<unknown>;
};

type Stream = AsyncIterable<unknown>;

/** A stream of the same kind, without node's module for it: the package runs where that is not. */
const streamLike = (payload: Stream, body: Uint8Array): Stream =>
  (payload.constructor as unknown as { from(parts: readonly unknown[]): Stream }).from([bufferOf(body)]);

/** Fastify sends no other bytes than node's own, which stand where it runs. */
const bufferOf = (bytes: Uint8Array): unknown =>
  (globalThis as unknown as { Buffer: { from(bytes: Uint8Array): unknown } }).Buffer.from(bytes);

const responseBytesMax = 8 * 1024 * 1024;

/** Sells what a route of Fastify answers. The body is read before Fastify parses it, and given on to that. */
export function fastifyPaywall(paywall: Paywall, sale: Sale): FastifyHooks {
  const held = new WeakMap<Req, Extract<Entered, { kind: "serve" }>>();
  return {
    preParsing: async (req, reply, payload) => {
      try {
        const body = await collected(payload);
        const { method = "GET", url = "/" } = req.raw;
        const asked = { sale, method, url: paywall.origin + url, body };
        const entered = await paywall.enter({ ...asked, headers: headersOf(req.raw) });
        if (entered.kind === "serve") {
          held.set(req, entered);
          req.payment = entered.payer;
          return body.length === 0 ? undefined : streamLike(payload, body);
        }
        reply.hijack();
        sendTo(reply.raw, entered.answer);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        reply.hijack();
        sendTo(reply.raw, problemBodyOf(error, paywall.origin));
      }
      return undefined;
    },
    onSend: async (req, reply, payload) => {
      const entered = held.get(req);
      if (entered === undefined) return payload;
      held.delete(req);
      const headers = Object.entries(reply.getHeaders()).flatMap(([name, value]) =>
        [value ?? []].flat().map((one): HeaderPair => [name, String(one)]),
      );
      const told = await entered.finish({ status: reply.statusCode, headers, ...(await wholeOf(payload)) });
      retell(reply, told);
      return bufferOf(told.body);
    },
  };
}

async function wholeOf(payload: unknown): Promise<Pick<Answer, "body"> & Partial<Answer>> {
  if (payload === null || payload === undefined) return { body: new Uint8Array() };
  if (typeof payload === "string") return { body: new TextEncoder().encode(payload) };
  if (payload instanceof Uint8Array) return { body: payload };
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of payload as AsyncIterable<Uint8Array | string>) {
    const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
    size += bytes.length;
    if (size > responseBytesMax) return { status: 502, body: new Uint8Array() };
    chunks.push(bytes);
  }
  return { body: concatBytes(...chunks) };
}

function retell(reply: Reply, { status, headers, body }: Answer): void {
  for (const name of Object.keys(reply.getHeaders())) reply.removeHeader(name);
  const all = new Map<string, string[]>();
  for (const [name, value] of headers) all.set(name, [...(all.get(name) ?? []), value]);
  for (const [name, values] of all)
    if (!/^(?:content-length|transfer-encoding)$/i.test(name))
      reply.header(name, values.length === 1 ? (values[0] ?? "") : values);
  reply.header("content-length", String(body.length));
  reply.code(status);
}
