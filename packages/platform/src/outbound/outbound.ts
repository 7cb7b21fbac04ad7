import { type Clock, systemClock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { Agent, type Dispatcher, request as send, fetch as undiciFetch } from "undici";
import type { Log } from "../telemetry/index.ts";
import { createGuard, type Resolve, systemResolve } from "./guard.ts";
import { createJwksCache, type KeySource } from "./jwks.ts";

export type OutboundRequest = {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE" | "HEAD";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** For the whole exchange, body included. 10 s by default. */
  readonly timeoutMs?: number;
  /** Of the answer. 1 MiB by default. */
  readonly bodyBytesMax?: number;
};

/** Header names are lower case; a header sent more than once is joined with `, `. */
export type OutboundAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
};

/** The one door to other hosts. Problems: `outbound_refused` (the guard), `outbound_failed` (no whole answer: unknown). */
export type Outbound = {
  request(request: OutboundRequest): Promise<OutboundAnswer>;
  /** The same guard in the shape SDKs take; 30 s unless they set a signal. Follows no redirect. */
  readonly fetch: typeof globalThis.fetch;
  /** For proxies that stream: connects only where the guard allows. */
  readonly dispatcher: Dispatcher;
  /** Refuses now what connecting would refuse: scheme, port, address (resolved). For URLs given to be stored. */
  check(url: string): Promise<void>;
  /** Keys of a JWKS document: cached up to 300 s, at most one fetch in 30 s, the last good ones for an hour. */
  jwksOf(url: string): KeySource;
  close(): Promise<void>;
};

export type OutboundOptions = {
  /** Exact `host:port` pairs to which http and private addresses are allowed. */
  readonly allow: readonly string[];
  readonly log?: Log;
  readonly clock?: Clock;
  readonly resolve?: Resolve;
};

const timeoutMsUsual = 10_000;
const fetchTimeoutMs = 30_000;
const bodyBytesMaxUsual = 1 << 20;
const connectionsPerOrigin = 256;

export function createOutbound({
  allow,
  log,
  clock = systemClock,
  resolve = systemResolve,
}: OutboundOptions): Outbound {
  const guard = createGuard(allow, resolve);
  const dispatcher = new Agent({
    connect: guard.connect,
    connections: connectionsPerOrigin,
    maxHeaderSize: 64 * 1024,
    headersTimeout: 60_000,
    bodyTimeout: 60_000,
  });
  const request = (wanted: OutboundRequest) => exchange(dispatcher, wanted);
  return {
    request,
    fetch: guardedFetch(dispatcher),
    dispatcher,
    check: guard.check,
    jwksOf: createJwksCache({ request, clock, ...(log === undefined ? {} : { log }) }),
    // Open exchanges end too: whoever drains has waited for them before.
    close: () => dispatcher.destroy(),
  };
}

async function exchange(dispatcher: Dispatcher, wanted: OutboundRequest): Promise<OutboundAnswer> {
  try {
    const answer = await send(wanted.url, {
      dispatcher,
      method: wanted.method ?? "GET",
      headers: { ...wanted.headers },
      body: wanted.body ?? null,
      signal: AbortSignal.timeout(wanted.timeoutMs ?? timeoutMsUsual),
    });
    const encoding = answer.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      answer.body.destroy();
      throw failed(wanted, `the answer is encoded as ${String(encoding)}, which nobody asked for`);
    }
    const body = await readAtMost(answer.body, wanted);
    return { status: answer.statusCode, headers: plainHeaders(answer.headers), body };
  } catch (error) {
    throw error instanceof Problem
      ? error
      : failed(wanted, error instanceof Error ? error.message : "no answer", error);
  }
}

const failed = ({ url }: OutboundRequest, because: string, cause?: unknown): Problem =>
  new Problem("outbound_failed", { private: { host: URL.parse(url)?.host, because }, cause });

async function readAtMost(
  body: Dispatcher.ResponseData["body"],
  wanted: OutboundRequest,
): Promise<Uint8Array> {
  const bytesMax = wanted.bodyBytesMax ?? bodyBytesMaxUsual;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    // undici's body yields Buffers; its type says any
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (bytes > bytesMax) throw failed(wanted, `the answer is larger than ${bytesMax} bytes`);
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

const plainHeaders = (headers: Dispatcher.ResponseData["headers"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
    ),
  );

/** undici's own fetch and the global one are the same code with types of two packages. */
function guardedFetch(dispatcher: Dispatcher): typeof globalThis.fetch {
  const guarded: typeof undiciFetch = (input, init) =>
    undiciFetch(input, {
      signal: AbortSignal.timeout(fetchTimeoutMs),
      ...init,
      dispatcher,
      redirect: "manual",
    });
  return guarded as unknown as typeof globalThis.fetch;
}
