import type { Clock } from "@remit/kernel";
import { type Pair, type PassedRequest, pass } from "./pass.ts";
import { openPeer, type Peer } from "./peer.ts";
import { tunnel, type Upgrading } from "./tunnel.ts";
import { fetchWhole, type UpstreamAnswer, type UpstreamRequest } from "./whole.ts";

export type Upstreams = {
  /** The whole answer, whatever its status. Problems `upstream_failed` (502) and `upstream_timeout` (504). */
  fetch(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** Passes an exchange through as it comes. A Problem, the two above among them, says that no answer has begun. */
  pass(request: PassedRequest, pair: Pair): Promise<void>;
  /** Joins a connection to one of its own kind upstream, until either ends. */
  tunnel(request: PassedRequest, from: Upgrading): Promise<void>;
  /** Refuses (503) while the upstream is known to be down, before anybody is asked for money. */
  check(origin: string): void;
  /** Asks an upstream how it is. */
  probe(origin: string, path: string, everyMs: number): Promise<void>;
  close(): Promise<void>;
};

const probeTimeoutMs = 2_000;
const probeBytesMax = 64 * 1024;

/** One pool per upstream origin. Upstreams come from the operator's offers and may be private addresses. */
export function createUpstreams(clock: Clock): Upstreams {
  const peers = new Map<string, Peer>();
  const peerOf = (origin: string): Peer => {
    const known = peers.get(origin);
    if (known !== undefined) return known;
    const peer = openPeer(origin, clock);
    peers.set(origin, peer);
    return peer;
  };
  return {
    fetch: (request) => fetchWhole(peerOf(request.origin), request),
    pass: (request, pair) => pass(peerOf(request.origin), request, pair),
    tunnel: (request, from) => tunnel(peerOf(request.origin), request, from),
    check: (origin) => peerOf(origin).health.check(),
    probe: async (origin, path, everyMs) => {
      const { pool, health } = peerOf(origin);
      const asked = {
        method: "GET",
        path,
        headersTimeout: probeTimeoutMs,
        bodyTimeout: probeTimeoutMs,
      } as const;
      const isWell = await pool.request(asked).then(
        async ({ statusCode, body }) => {
          await body.dump({ limit: probeBytesMax });
          return statusCode < 400;
        },
        () => false,
      );
      health.asked(isWell, everyMs);
    },
    close: async () => {
      await Promise.all([...peers.values()].map(({ pool }) => pool.destroy()));
    },
  };
}
