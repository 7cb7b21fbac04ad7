import type { IncomingMessage, ServerResponse } from "node:http";
import { setAside } from "@remit/platform/http";
import { pause } from "@remit/platform/jobs";
import { Problem } from "@remit/protocol";
import { type Dispatcher, errors } from "undici";
import { passedDown, passedTrailers, passedUp, type Withheld } from "./headers.ts";
import { admit, type Peer, rawHeadersOf } from "./peer.ts";
import { type Upload, uploadOf } from "./upload.ts";

/** A request to be passed through as it comes, and its answer likewise. */
export type PassedRequest = {
  readonly origin: string;
  readonly method: string;
  /** Path and query, as matched. */
  readonly target: string;
  /** What the gateway says itself, as a flat list of names and values. */
  readonly added: readonly string[];
  readonly withheld: Withheld;
  /** To the head of the answer, and then between two parts of it. */
  readonly timeoutMs: number;
  /** How often it is tried again while that is safe. */
  readonly retries: number;
  /** No body goes up, and of the answer only its head comes down: nothing is told that a gate guards. */
  readonly headOnly?: boolean;
  /** The body, where it has been read already. */
  readonly body?: Uint8Array;
  /** What a field of the answer's head says here, where that is something else than upstream. */
  readonly retold?: (name: string, value: string) => string;
};

export type Pair = { readonly req: IncomingMessage; readonly res: ServerResponse };

/** Passes one exchange through; resolves once it is over. A Problem says that no answer has begun. */
export async function pass(peer: Peer, request: PassedRequest, pair: Pair): Promise<void> {
  const { headOnly, body } = request;
  const upload = headOnly === true || body !== undefined ? noUpload : uploadOf(pair.req);
  for (let attempt = 1; ; attempt++) {
    admit(peer);
    const outcome = await exchange(peer, request, { ...pair, upload });
    if (outcome.kind === "over") return peer.health.answered();
    if (outcome.kind === "gone") return;
    if (outcome.wasReached) peer.health.answered();
    else peer.health.failed();
    const safe = mayRepeat(request.method, outcome) && !upload.begun();
    if (!safe || attempt > request.retries) throw problemOf(outcome.error, peer.origin, request.timeoutMs);
    await pause(retryPauseMs * attempt);
    if (pair.res.destroyed) return;
  }
}

const retryPauseMs = 50;
const noUpload: Upload = { body: undefined, begun: () => false };

// RFC 9110 §9.2.2.
const idempotent = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);

/** Nothing was sent, or what was sent may be sent twice. Waiting is not done twice. */
const mayRepeat = (method: string, { wasSent, error }: Failed): boolean =>
  !(error instanceof Problem) && !isTimeout(error) && (!wasSent || idempotent.has(method));

type Failed = {
  readonly kind: "failed";
  readonly error: Error;
  /** The request, or a part of it, may have arrived. */
  readonly wasSent: boolean;
  /** The upstream is there, and it is the caller, or its patience, that ended the exchange. */
  readonly wasReached: boolean;
};

type Outcome =
  /** An answer has begun, and has ended well or been cut off; the caller has seen which. */
  | { readonly kind: "over" }
  /** The caller has hung up. */
  | { readonly kind: "gone" }
  | Failed;

const over: Outcome = { kind: "over" };
const gone: Outcome = { kind: "gone" };

/** One attempt. A caller that hangs up ends it at the upstream; an upstream that breaks off ends it for the caller. */
function exchange(
  peer: Peer,
  request: PassedRequest,
  caller: Pair & { readonly upload: Upload },
): Promise<Outcome> {
  const { req, res, upload } = caller;
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  let controller: Dispatcher.DispatchController | undefined;
  const onClose = (): void => {
    if (res.writableFinished) return;
    controller?.abort(new Error("the caller has gone"));
    upload.body?.destroy();
    resolve(gone);
  };
  res.once("close", onClose);
  const settle = (outcome: Outcome): void => {
    res.off("close", onClose);
    resolve(outcome);
  };
  peer.dispatch(upward(request, req, upload), {
    onRequestStart: (started) => {
      controller = started;
      if (res.destroyed) started.abort(new Error("the caller has gone"));
    },
    onResponseStart: (started, status) => {
      if (status < 200) return;
      begin(caller, started, { ...request, status });
      if (request.headOnly === true) started.abort(new Error("its head is all that was asked for"));
    },
    onResponseData: (started, chunk) => {
      if (res.write(chunk)) return;
      started.pause();
      res.once("drain", () => started.resume());
    },
    onResponseEnd: (_, trailers) => {
      end(res, trailers);
      settle(over);
    },
    onResponseError: (_, error) => {
      if (res.headersSent) {
        if (!res.writableEnded) res.destroy();
        settle(over);
      } else settle({ kind: "failed", error, ...howFar(error, controller !== undefined) });
    },
  });
  return promise;
}

function upward(request: PassedRequest, req: IncomingMessage, upload: Upload): Dispatcher.DispatchOptions {
  const { target: path, method, timeoutMs, withheld } = request;
  const isUploaded = upload.body !== undefined;
  return {
    path,
    method,
    headers: passedUp(req.rawHeaders, request.added, isUploaded ? withheld : withLength(withheld)),
    body: request.body ?? upload.body ?? null,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
  };
}

const withLength = (withheld: Withheld): Withheld => {
  const known = withoutBody.get(withheld) ?? new Set([...withheld, "content-length"]);
  withoutBody.set(withheld, known);
  return known;
};
// A length without a body would be a promise that is not kept: there is one such set per kind of route.
const withoutBody = new WeakMap<Withheld, Withheld>();

/** Sends the head on. Where nothing else follows at once it leaves by itself: an event stream may be silent for long. */
function begin(
  { req, res }: Pair,
  controller: Dispatcher.DispatchController,
  {
    status,
    headOnly = false,
    retold,
  }: Pick<PassedRequest, "headOnly" | "retold"> & { readonly status: number },
): void {
  const raw = retell(rawHeadersOf(controller), retold);
  if (headOnly) {
    res.writeHead(status, withoutLength(passedDown(raw, { mayHaveTrailers: false })));
    return void res.end();
  }
  const mayHaveTrailers =
    req.httpVersionMinor > 0 && req.method !== "HEAD" && status !== 204 && status !== 304 && !hasLength(raw);
  res.writeHead(status, passedDown(raw, { mayHaveTrailers }));
  if (isEventStream(raw)) setAside(res);
  // The parts of one packet are handed over in one go, so that this runs after a body which came with the head.
  queueMicrotask(() => {
    if (!res.writableEnded && !res.destroyed && res.writableLength === 0) res.flushHeaders();
  });
}

const retell = (raw: string[], retold: PassedRequest["retold"]): string[] =>
  retold === undefined
    ? raw
    : raw.map((text, index) => (index % 2 === 0 ? text : retold(raw[index - 1] ?? "", text)));

const withoutLength = (raw: readonly string[]): string[] =>
  raw.filter((_, index) => (raw[index - (index % 2)] ?? "").toLowerCase() !== "content-length");

function end(res: ServerResponse, trailers: Parameters<typeof passedTrailers>[0]): void {
  const passed = passedTrailers(trailers);
  if (passed.length > 0) res.addTrailers(passed);
  res.end();
}

// Some are open for hours, and silent.
const isEventStream = (rawHeaders: readonly string[]): boolean =>
  rawHeaders.some(
    (name, index) =>
      index % 2 === 0 &&
      name.toLowerCase() === "content-type" &&
      /^\s*text\/event-stream\b/i.test(rawHeaders[index + 1] ?? ""),
  );

const hasLength = (rawHeaders: readonly string[]): boolean =>
  rawHeaders.some((name, index) => index % 2 === 0 && name.toLowerCase() === "content-length");

const howFar = (error: Error, wasStarted: boolean): Pick<Failed, "wasSent" | "wasReached"> => ({
  wasSent: wasStarted,
  wasReached: error instanceof Problem || (wasStarted && isTimeout(error)),
});

const isTimeout = (error: Error): boolean =>
  error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;

function problemOf(error: Error, upstream: string, timeoutMs: number): Problem {
  if (error instanceof Problem) return error;
  const options = { private: { upstream }, cause: error };
  return isTimeout(error)
    ? new Problem("upstream_timeout", { detail: `No answer came within ${timeoutMs / 1000} s.`, ...options })
    : new Problem("upstream_failed", { detail: "The upstream broke off or cannot be reached.", ...options });
}
