import type { Clock } from "@remit/kernel";
import { createHealthPages, type Wellness } from "./health-pages.ts";
import { type OpenAnswer, type OpenRequest, openAnswer } from "./open.ts";
import { type Pair, type PassedRequest, pass } from "./pass.ts";
import { openPeer, type Peer } from "./peer.ts";
import { tunnel, type Upgrading } from "./tunnel.ts";
import { fetchWhole, type UpstreamAnswer, type UpstreamRequest } from "./whole.ts";

export type Upstreams = {
  /** The whole answer, whatever its status. Problems `upstream_failed` (502) and `upstream_timeout` (504). */
  fetch(request: UpstreamRequest): Promise<UpstreamAnswer>;
  /** The head of an answer, and its body as it comes. The same Problems, until the head is there. */
  open(request: OpenRequest): Promise<OpenAnswer>;
  /** Passes an exchange through as it comes. A Problem, the two above among them, says that no answer has begun. */
  pass(request: PassedRequest, pair: Pair): Promise<void>;
  /** Joins a connection to one of its own kind upstream, until either ends. */
  tunnel(request: PassedRequest, from: Upgrading): Promise<void>;
  /** Refuses (503) while the upstream, or what its health page speaks for, is down: before anybody is asked for money. */
  check(origin: string, healthPath?: string): void;
  /** Asks a health page, every so often: what it says holds until it is asked again. */
  probe(origin: string, path: string, everyMs: number): Promise<Wellness>;
  close(): Promise<void>;
};

const probeTimeoutMs = 2_000;
const probeBytesMax = 64 * 1024;

/** One pool per upstream origin. Upstreams come from the operator's offers and may be private addresses. */
export function createUpstreams(clock: Clock): Upstreams {
  const peers = new Map<string, Peer>();
  const pages = createHealthPages();
  const peerOf = (origin: string): Peer => {
    const known = peers.get(origin);
    if (known !== undefined) return known;
    const peer = openPeer(origin, clock);
    peers.set(origin, peer);
    return peer;
  };
  return {
    fetch: (request) => fetchWhole(peerOf(request.origin), request),
    open: (request) => openAnswer(peerOf(request.origin), request),
    pass: (request, pair) => pass(peerOf(request.origin), request, pair),
    tunnel: (request, from) => tunnel(peerOf(request.origin), request, from),
    check: (origin, healthPath) => {
      peerOf(origin).health.check();
      if (healthPath !== undefined) pages.check(origin, healthPath);
    },
    probe: async (origin, path, everyMs) => {
      const { pool } = peerOf(origin);
      const asked = {
        method: "GET",
        path,
        headersTimeout: probeTimeoutMs,
        bodyTimeout: probeTimeoutMs,
      } as const;
      const said = await pool.request(asked).then(
        async ({ statusCode, body }): Promise<Wellness> => {
          await body.dump({ limit: probeBytesMax });
          return { isWell: statusCode < 400, status: statusCode };
        },
        (): Wellness => ({ isWell: false }),
      );
      pages.said(origin, path, { isWell: said.isWell, everyMs });
      return said;
    },
    close: async () => {
      await Promise.all([...peers.values()].map(({ pool }) => pool.destroy()));
    },
  };
}
