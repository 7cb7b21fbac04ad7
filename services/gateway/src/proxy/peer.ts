import type { Clock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type Dispatcher, Pool } from "undici";
import { createHealth, type Health } from "./health.ts";

/** One upstream: the connections to it, and what is known of its health. */
export type Peer = {
  readonly origin: string;
  readonly pool: Pool;
  readonly health: Health;
  readonly dispatch: (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) => void;
  /** How many wait for a connection. */
  readonly waiting: () => number;
};

// A stream holds its connection for as long as it lasts.
const connectionsMax = 1024;
const waitingMax = 1024;
const connectTimeoutMs = 5_000;

export function openPeer(origin: string, clock: Clock): Peer {
  const pool = new Pool(origin, {
    connections: connectionsMax,
    pipelining: 1,
    connectTimeout: connectTimeoutMs,
    // Each request says its own.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  // Whether any may be waiting, from when the pool says that it takes no more at once until none is found. To count them
  // it walks over every connection, which is too much for each request.
  let isFull = false;
  return {
    origin,
    pool,
    health: createHealth(origin, clock),
    dispatch: (options, handler) => {
      if (!pool.dispatch(options, handler)) isFull = true;
    },
    waiting: () => {
      if (!isFull) return 0;
      const { queued } = pool.stats;
      isFull = queued > 0;
      return queued;
    },
  };
}

/** Refuses (503) what would only wait: the upstream is down, or as many as may be wait for a connection already. */
export function admit({ origin, waiting, health }: Peer): void {
  if (waiting() > waitingMax)
    throw new Problem("upstream_unavailable", {
      headers: { "Retry-After": "1" },
      private: { upstream: origin },
    });
  health.admit();
}

/** The flat list of the wire, as undici gives it over a connection of its own. */
export function rawHeadersOf({ rawHeaders }: Dispatcher.DispatchController): string[] {
  const parts: readonly unknown[] = Array.isArray(rawHeaders) ? rawHeaders : [];
  return parts.map((part) => (Buffer.isBuffer(part) ? part.toString("latin1") : String(part)));
}
