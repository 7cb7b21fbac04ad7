import { concatBytes, type HeaderPair, Problem, parseJson } from "@remit/protocol";
import type { Answer } from "./answers.ts";
import { type Entered, type Payer, type Paywall, problemBodyOf, type Sale } from "./paywall.ts";
import { failed } from "./web.ts";

/** A request of node, as far as it is looked at: the package knows nothing of node's own types. */
export type NodeIncoming = AsyncIterable<unknown> & {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly rawHeaders: readonly string[];
  readonly readableEnded: boolean;
};

/** An answer of node likewise. */
export type NodeOutgoing = {
  statusCode: number;
  readonly req: { readonly method?: string | undefined };
  getHeaders(): Readonly<Record<string, number | string | readonly string[] | undefined>>;
  getHeaderNames(): string[];
  setHeader(name: string, value: number | string | readonly string[]): unknown;
  appendHeader(name: string, value: string | readonly string[]): unknown;
  removeHeader(name: string): void;
  writeHead(status: number, headers: string[]): unknown;
  write(chunk: Uint8Array): unknown;
  end(chunk?: Uint8Array): unknown;
  flushHeaders(): void;
  once(event: "finish" | "close", listener: () => void): unknown;
};

/** A request of Express, or of anything that is called as its middleware is. */
type NodeRequest = NodeIncoming & {
  originalUrl?: string;
  body?: unknown;
  rawBody?: Uint8Array;
  payment?: Payer;
};
export type NodeMiddleware = (req: NodeRequest, res: NodeOutgoing, next: (error?: unknown) => void) => void;

const requestBytesMax = 1024 * 1024;
const responseBytesMax = 8 * 1024 * 1024;

/**
 * Sells what comes after it in Express (4 and 5), Connect, or any `(req, res, next)`. It reads the body, since the offer is bound to
 * it: mount it before other parsers, which then find `req.body` parsed and `req.rawBody` beside it.
 */
export const expressPaywall =
  (paywall: Paywall, sale: Sale): NodeMiddleware =>
  (req, res, next) =>
    void stand(paywall, sale, { req, res, next });

type Passing = {
  readonly req: NodeRequest;
  readonly res: NodeOutgoing;
  readonly next: (error?: unknown) => void;
};

/** Lets through who pays, with the answer held back until it is paid. */
async function stand(paywall: Paywall, sale: Sale, { req, res, next }: Passing): Promise<void> {
  let entered: Entered;
  try {
    entered = await enter(paywall, sale, req);
  } catch (error) {
    if (error instanceof Problem) return sendTo(res, problemBodyOf(error, paywall.origin));
    return next(error);
  }
  if (entered.kind === "answer") return sendTo(res, entered.answer);
  req.payment = entered.payer;
  holdBack(res, entered, next);
  next();
}

async function enter(paywall: Paywall, sale: Sale, req: NodeRequest): Promise<Entered> {
  const body = await bodyOf(req);
  const { method = "GET" } = req;
  return await paywall.enter({
    sale,
    method,
    url: paywall.origin + (req.originalUrl ?? req.url ?? "/"),
    headers: headersOf(req),
    body,
  });
}

/** All headers, those that were sent twice among them. */
export function headersOf({ rawHeaders }: Pick<NodeIncoming, "rawHeaders">): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2)
    pairs.push([rawHeaders[at] ?? "", rawHeaders[at + 1] ?? ""]);
  return pairs;
}

async function bodyOf(req: NodeRequest): Promise<Uint8Array> {
  if (req.rawBody !== undefined) return req.rawBody;
  // Somebody has read it and not kept it: a payment could not be bound to it.
  if (req.readableEnded && Number(req.headers["content-length"] ?? 0) > 0)
    throw new TypeError("the paywall stands before whatever parses bodies, or finds req.rawBody");
  const bytes = await collected(req);
  req.rawBody = bytes;
  if (bytes.length > 0) req.body = parsed(bytes, String(req.headers["content-type"] ?? ""));
  return bytes;
}

/** A whole body, in bounded size. */
export async function collected(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of stream) {
    const bytes = chunk as Uint8Array; // without an encoding set, streams of requests give bytes
    size += bytes.length;
    if (size > requestBytesMax) throw new Problem("payload_too_large", { headers: { Connection: "close" } });
    chunks.push(bytes);
  }
  return concatBytes(...chunks);
}

function parsed(bytes: Uint8Array, type: string): unknown {
  if (/^application\/(?:[\w.-]+\+)?json\b/i.test(type))
    return parseJson(bytes, { bytesMax: requestBytesMax });
  const text = new TextDecoder().decode(bytes);
  if (/^application\/x-www-form-urlencoded\b/i.test(type))
    return Object.fromEntries(new URLSearchParams(text));
  return /^text\//i.test(type) ? text : bytes;
}

/** Keeps what a handler writes until it has written all, and sends what the paywall makes of it. */
function holdBack(
  res: NodeOutgoing,
  entered: Extract<Entered, { kind: "serve" }>,
  next: (error?: unknown) => void,
): void {
  const restore = overridable(res);
  const { take, answerOf } = whatIsWritten();
  let isOver = false;
  const send = async (): Promise<void> => {
    const answer = answerOf(res);
    const told = await entered.finish(answer);
    restore();
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    sendTo(res, told);
  };
  const finish = async (): Promise<void> => {
    try {
      await send();
    } catch (error) {
      // Whoever tells of the error writes to the connection itself.
      restore();
      next(error);
    }
  };
  // Nobody is there any more, and nothing was delivered. A hold that is not returned now ends at its serve_by.
  res.once("close", () => {
    if (isOver) return;
    isOver = true;
    restore();
    entered.finish(failed).catch(() => undefined);
  });
  Object.assign(res, {
    writeHead: (status: number, ...more: unknown[]) => {
      res.statusCode = status;
      setAll(
        res,
        more.find((one) => typeof one === "object" && one !== null),
      );
      return res;
    },
    flushHeaders: () => undefined,
    write: (chunk: unknown, encoding?: unknown, done?: unknown) => {
      take(chunk, encoding);
      const then = [encoding, done].find((one) => typeof one === "function");
      if (typeof then === "function") queueMicrotask(() => then());
      return true;
    },
    end: (chunk?: unknown, encoding?: unknown, done?: unknown) => {
      if (isOver) return res;
      take(chunk, encoding);
      isOver = true;
      const then = [chunk, encoding, done].find((one) => typeof one === "function");
      if (typeof then === "function") res.once("finish", () => then());
      void finish();
      return res;
    },
  });
}

/** What a handler writes, in bounded size. */
function whatIsWritten() {
  const chunks: Uint8Array[] = [];
  let size = 0;
  return {
    take: (chunk: unknown, encoding: unknown): void => {
      if (chunk === null || chunk === undefined || typeof chunk === "function") return;
      // node takes texts and bytes, and nothing else.
      const bytes = typeof chunk === "string" ? bytesOfText(chunk, encoding) : (chunk as Uint8Array);
      size += bytes.length;
      if (size <= responseBytesMax) chunks.push(bytes);
    },
    answerOf: (res: NodeOutgoing): Answer => {
      const answer = written(res, chunks);
      return size > responseBytesMax ? { ...answer, status: 502, body: new Uint8Array() } : answer;
    },
  };
}

/** Texts of a handler; in an encoding that is hardly ever written, none. */
function bytesOfText(text: string, encoding: unknown): Uint8Array {
  const name = typeof encoding === "string" ? encoding.toLowerCase() : "utf8";
  if (name === "utf8" || name === "utf-8") return new TextEncoder().encode(text);
  if (name === "latin1" || name === "binary" || name === "ascii")
    return Uint8Array.from(text, (character) => character.charCodeAt(0));
  throw new TypeError(`a paid answer is not written in ${name}`);
}

const overridden = ["write", "end", "writeHead", "flushHeaders"] as const;

/** Gives back what the four were, whoever else has put theirs in place. */
function overridable(res: NodeOutgoing): () => void {
  const before = overridden.map((name) => [name, Object.getOwnPropertyDescriptor(res, name)] as const);
  return () => {
    for (const [name, own] of before)
      if (own === undefined) Reflect.deleteProperty(res, name);
      else Object.defineProperty(res, name, own);
  };
}

function setAll(res: NodeOutgoing, headers: unknown): void {
  if (Array.isArray(headers))
    for (let at = 0; at + 1 < headers.length; at += 2)
      res.appendHeader(String(headers[at]), String(headers[at + 1]));
  else
    for (const [name, value] of Object.entries((headers ?? {}) as Record<string, number | string | string[]>))
      res.setHeader(name, value);
}

const written = (res: NodeOutgoing, chunks: readonly Uint8Array[]): Answer => ({
  status: res.statusCode,
  headers: Object.entries(res.getHeaders()).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): HeaderPair => [name, String(one)]),
  ),
  body: concatBytes(...chunks),
});

/** Sends a whole answer. */
export function sendTo(res: NodeOutgoing, { status, headers, body }: Answer): void {
  const hasNoBody = status === 204 || status === 304;
  const kept = headers.filter(([name]) => !/^(?:content-length|transfer-encoding)$/i.test(name));
  const length = hasNoBody ? [] : ["Content-Length", String(body.length)];
  res.writeHead(status, [...kept.flat(), ...length]);
  res.end(hasNoBody || res.req.method === "HEAD" ? undefined : body);
}
