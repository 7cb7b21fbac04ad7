import type { Clock } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { type Dispatcher, Pool } from "undici";
import { createHealth, type Health } from "./health.ts";

/** One upstream: the connections to it, and what is known of its health. */
export type Peer = { readonly origin: string; readonly pool: Pool; readonly health: Health };

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
  return { origin, pool, health: createHealth(origin, clock) };
}

/** Refuses (503) what would only wait: the upstream is down, or as many as may be wait for a connection already. */
export function admit({ origin, pool, health }: Peer): void {
  if (pool.stats.queued > waitingMax)
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
