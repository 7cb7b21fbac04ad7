import { Problem, type ProblemCode } from "@remit/protocol";
import { type Dispatcher, errors } from "undici";
import { downwardFields, type Fields, fieldsOf } from "./headers.ts";
import { admit, type Peer, rawHeadersOf } from "./peer.ts";

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
  /** Asked for each part; false when there is no room for it. */
  readonly mayHold?: (bytes: number) => boolean;
};

export async function fetchWhole(peer: Peer, request: UpstreamRequest): Promise<UpstreamAnswer> {
  admit(peer);
  return await new Promise((resolve, reject) => {
    peer.dispatch(
      {
        path: request.target,
        method: request.method,
        headers: request.fields.flat(),
        body: request.body ?? null,
      },
      collect(peer, request, { resolve, reject }),
    );
  });
}

type Settle = {
  readonly resolve: (answer: UpstreamAnswer) => void;
  readonly reject: (problem: Problem) => void;
};

/** Gathers one answer within its limits of time and size; whatever breaks them ends the exchange. */
function collect(
  { health }: Peer,
  request: UpstreamRequest,
  { resolve, reject }: Settle,
): Dispatcher.DispatchHandler {
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
      health.answered();
      head = { status, fields: downwardFields(fieldsOf(rawHeadersOf(controller))) };
    },
    onResponseData: (_, chunk) => {
      size += chunk.length;
      if (size > request.bodyBytesMax)
        fail("upstream_failed", "The answer is larger than the gateway keeps.");
      else if (request.mayHold?.(chunk.length) === false)
        fail("unavailable", "Too many answers are on their way at once.");
      else chunks.push(chunk);
    },
    onResponseEnd: () => {
      deadline.removeEventListener("abort", late);
      if (head !== undefined) resolve({ ...head, body: Buffer.concat(chunks) });
    },
    onResponseError: (_, error) => {
      const isOurs = deadline.aborted || error instanceof errors.RequestAbortedError;
      if (head === undefined && !isOurs) health.failed();
      fail("upstream_failed", "The upstream broke off or cannot be reached.", error);
    },
  };
}
