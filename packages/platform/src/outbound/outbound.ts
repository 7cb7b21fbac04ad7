import { type Clock, systemClock } from "@remit/kernel";
import { Agent, type Dispatcher, fetch as undiciFetch } from "undici";
import type { Log } from "../telemetry/index.ts";
import { exchange, type OutboundAnswer, type OutboundRequest } from "./exchange.ts";
import { createGuard, type Resolve, systemResolve } from "./guard.ts";
import { createJwksCache, type KeySource } from "./jwks.ts";

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
  /** Exact `host:port` pairs to which http and private addresses are allowed, or `*.localhost:port`. */
  readonly allow: readonly string[];
  readonly log?: Log;
  readonly clock?: Clock;
  readonly resolve?: Resolve;
};

const fetchTimeoutMs = 30_000;
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
    check: (url) => guard.check(url),
    jwksOf: createJwksCache({ request, clock, ...(log === undefined ? {} : { log }) }),
    // Open exchanges end too: whoever drains has waited for them before.
    close: () => dispatcher.destroy(),
  };
}

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
