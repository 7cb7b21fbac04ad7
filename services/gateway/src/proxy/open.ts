import { Readable } from "node:stream";
import { Problem } from "@remit/protocol";
import { type Dispatcher, errors } from "undici";
import { downwardFields, type Fields, fieldsOf } from "./headers.ts";
import { admit, type Peer, rawHeadersOf } from "./peer.ts";
import type { UpstreamRequest } from "./whole.ts";

/** An answer whose body has not come yet. Whoever reads none of it destroys the body. */
export type OpenAnswer = { readonly status: number; readonly fields: Fields; readonly body: Readable };

export type OpenRequest = Omit<UpstreamRequest, "bodyBytesMax">;

/** Asks, and resolves with the head. `timeoutMs` counts to the head, and then between two parts of the body. */
export async function openAnswer(peer: Peer, request: OpenRequest): Promise<OpenAnswer> {
  admit(peer);
  const { promise, resolve, reject } = Promise.withResolvers<OpenAnswer>();
  const { target: path, method, fields, body, timeoutMs } = request;
  peer.dispatch(
    {
      path,
      method,
      headers: fields.flat(),
      body: body ?? null,
      headersTimeout: timeoutMs,
      bodyTimeout: timeoutMs,
    },
    handler(peer, { resolve, reject, timeoutMs }),
  );
  return await promise;
}

function handler(
  { health, origin }: Peer,
  settle: {
    readonly resolve: (answer: OpenAnswer) => void;
    readonly reject: (problem: Problem) => void;
    readonly timeoutMs: number;
  },
): Dispatcher.DispatchHandler {
  let body: Readable | undefined;
  return {
    // Nothing is asked of us here, but undici wants it.
    onRequestStart: () => undefined,
    onResponseStart: (controller, status) => {
      if (status < 200) return;
      health.answered();
      body = new Readable({
        read: () => controller.resume(),
        destroy: (error, done) => {
          controller.abort(error ?? new Error("nobody reads it any more"));
          done(error);
        },
      });
      // It may break off before anybody reads it; who does then is told.
      body.on("error", () => undefined);
      settle.resolve({ status, fields: downwardFields(fieldsOf(rawHeadersOf(controller))), body });
    },
    onResponseData: (controller, chunk) => {
      if (body?.push(chunk) === false) controller.pause();
    },
    onResponseEnd: () => void body?.push(null),
    onResponseError: (_, error) => {
      const problem = problemOf(error, { origin, timeoutMs: settle.timeoutMs });
      if (body !== undefined) return void body.destroy(problem);
      if (problem.code === "upstream_failed") health.failed();
      settle.reject(problem);
    },
  };
}

function problemOf(
  error: Error,
  { origin, timeoutMs }: { readonly origin: string; readonly timeoutMs: number },
): Problem {
  if (error instanceof Problem) return error;
  const isLate = error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
  const told = { private: { upstream: origin }, cause: error };
  return isLate
    ? new Problem("upstream_timeout", { detail: `No answer came within ${timeoutMs / 1000} s.`, ...told })
    : new Problem("upstream_failed", { detail: "The upstream broke off or cannot be reached.", ...told });
}
