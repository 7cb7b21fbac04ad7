import type { Clock } from "@remit/kernel";
import type { Dispatcher } from "undici";
import type { Log } from "../telemetry/index.ts";
import type { KeySource } from "./jwks.ts";

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
  /** The same guard and limits in the shape SDKs take. Follows no redirect. */
  readonly fetch: typeof globalThis.fetch;
  /** For proxies that stream: connects only where the guard allows. */
  readonly dispatcher: Dispatcher;
  /** Refuses now what connecting would refuse: scheme, port, address (resolved). For URLs given to be stored. */
  check(url: string): Promise<void>;
  /** Keys of a JWKS document: cached up to 300 s, at most one fetch in 30 s, the last good ones for an hour more. */
  jwksOf(url: string): KeySource;
  close(): Promise<void>;
};

/** Addresses of a name. Tests give one that lies. */
export type Resolve = (
  hostname: string,
) => Promise<readonly { readonly address: string; readonly family: 4 | 6 }[]>;

export type OutboundOptions = {
  /** Exact `host:port` pairs to which http and private addresses are allowed. */
  readonly allow: readonly string[];
  readonly log?: Log;
  readonly clock?: Clock;
  readonly resolve?: Resolve;
};

export declare function createOutbound(options: OutboundOptions): Outbound;
