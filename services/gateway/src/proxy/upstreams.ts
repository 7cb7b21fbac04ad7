import { Problem, type ProblemCode } from "@remit/protocol";
import { type Dispatcher, Pool } from "undici";
import { downwardFields, type Fields, fieldsOf } from "./headers.ts";

/** A whole answer of an upstream. The body is as it came over the wire, in its content coding. */
export type UpstreamAnswer = { readonly status: number; readonly fields: Fields; readonly body: Uint8Array };

export type UpstreamRequest = {
  readonly origin: string;
  readonly method: string;
  /** Path and query, as matched. */
  readonly target: string;
  readonly fields: Fields;
  readonly body: Uint8Array | undefined;
  /** For the whole exchange. */
  readonly timeoutMs: number;
  readonly bodyBytesMax: number;
};

export type Upstreams = {
  /** The whole answer, whatever its status. Problems `upstream_failed` (502) and `upstream_timeout` (504). */
  fetch(request: UpstreamRequest): Promise<UpstreamAnswer>;
  close(): Promise<void>;
};

const connectionsMax = 128;
const connectTimeoutMs = 5_000;

/** One pool per upstream origin. Upstreams come from the operator's offers file and may be private addresses. */
export function createUpstreams(): Upstreams {
  const pools = new Map<string, Pool>();
  const poolOf = (origin: string): Pool => {
    const known = pools.get(origin);
    if (known !== undefined) return known;
    const pool = new Pool(origin, {
      connections: connectionsMax,
      pipelining: 1,
      connectTimeout: connectTimeoutMs,
      // The request's own deadline covers both.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    pools.set(origin, pool);
    return pool;
  };
  return {
    fetch: (request) => fetchWhole(poolOf(request.origin), request),
    close: async () => {
      await Promise.all([...pools.values()].map((pool) => pool.destroy()));
    },
  };
}

function fetchWhole(pool: Pool, request: UpstreamRequest): Promise<UpstreamAnswer> {
  return new Promise((resolve, reject) => {
    pool.dispatch(
      {
        path: request.target,
        method: request.method,
        headers: request.fields.flat(),
        body: request.body ?? null,
      },
      collect(request, { resolve, reject }),
    );
  });
}

type Settle = {
  readonly resolve: (answer: UpstreamAnswer) => void;
  readonly reject: (problem: Problem) => void;
};

/** Gathers one answer within its limits of time and size; whatever breaks them ends the exchange. */
function collect(request: UpstreamRequest, { resolve, reject }: Settle): Dispatcher.DispatchHandler {
  const deadline = AbortSignal.timeout(request.timeoutMs);
  const chunks: Uint8Array[] = [];
  let size = 0;
  let head: { status: number; fields: Fields } | undefined;
  let abort: (() => void) | undefined;
  const fail = (code: ProblemCode, detail: string, cause?: unknown): void => {
    deadline.removeEventListener("abort", late);
    reject(new Problem(code, { detail, private: { upstream: request.origin }, cause }));
    abort?.();
  };
  const late = (): void =>
    fail("upstream_timeout", `No whole answer came within ${request.timeoutMs / 1000} s.`);
  deadline.addEventListener("abort", late, { once: true });
  return {
    onRequestStart: (controller) => {
      abort = () => controller.abort(new Error("the gateway gave up"));
      if (deadline.aborted) abort();
    },
    onResponseStart: (controller, status) => {
      if (status < 200) return;
      head = { status, fields: downwardFields(fieldsOf(rawHeadersOf(controller))) };
    },
    onResponseData: (_, chunk) => {
      size += chunk.length;
      if (size > request.bodyBytesMax)
        fail("upstream_failed", "The answer is larger than the gateway keeps.");
      else chunks.push(Uint8Array.from(chunk));
    },
    onResponseEnd: () => {
      deadline.removeEventListener("abort", late);
      if (head !== undefined) resolve({ ...head, body: Buffer.concat(chunks) });
    },
    onResponseError: (_, error) =>
      fail("upstream_failed", "The upstream broke off or cannot be reached.", error),
  };
}

function rawHeadersOf({ rawHeaders }: Dispatcher.DispatchController): string[] {
  // Over a connection of its own, undici gives the flat list of the wire.
  const parts: readonly unknown[] = Array.isArray(rawHeaders) ? rawHeaders : [];
  return parts.map((part) => (Buffer.isBuffer(part) ? part.toString("latin1") : String(part)));
}
