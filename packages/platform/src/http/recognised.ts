import { type IncomingMessage, type Server, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { type Instant, invariant, newId, secondMs, toDate, toNumericDate } from "@remit/kernel";
import { countedByAddress, type Edge, lazyChild, observe } from "./edge.ts";
import { countAll } from "./rate-limit.ts";
import type { Limit, Recognition } from "./route.ts";

/**
 * Answers to requests that are known by their bytes. node:http reads each of them the first time; who sends the very same
 * bytes again, alone in a packet and where a request begins, is answered without being read again. There is no second reader of
 * HTTP here that could disagree with the first (RFC 9112 §11.2): whatever differs by one byte, or comes in two parts, or with
 * another behind it, goes to node:http with its whole connection, for good.
 */
export type Recognised = {
  /**
   * For a request that came alone in its packet, as the first that node:http got of its connection, and whose bytes say what was
   * read of them in the one usual way; else undefined. `route` is what it is called in metrics.
   */
  learnerOf(req: IncomingMessage): ((route: string) => Learn) | undefined;
};

export type Learn = (how: Recognition & { readonly counting: Counting }) => void;

/** What a request counts against. */
type Counting = { readonly route: string; readonly limit: Limit | undefined };

type Entry = Recognition & {
  readonly route: string;
  readonly counting: Counting;
  readonly headersDistinct: IncomingMessage["headersDistinct"];
};

const headBytesMax = 2048;
const entriesMax = 1024;

/**
 * The headers that a recognised request may have: none says who asks, none is answered by anything but its presence, and
 * none frames a message. Any other name, and the request is read each time.
 */
const harmless: ReadonlySet<string> = new Set([
  "accept",
  "accept-encoding",
  "accept-language",
  "accept-payment",
  "cache-control",
  "connection",
  "dnt",
  "host",
  "pragma",
  "priority",
  "sec-ch-ua",
  "sec-ch-ua-mobile",
  "sec-ch-ua-platform",
  "sec-fetch-dest",
  "sec-fetch-mode",
  "sec-fetch-site",
  "sec-fetch-user",
  "upgrade-insecure-requests",
  "user-agent",
  "via",
  "x-forwarded-for",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-proto",
  "x-real-ip",
]);

/** Stands between the server's sockets and node:http from now on. */
export function recognise(edge: Edge, server: Server): Recognised {
  const known = new Map<string, Entry>();
  let holdsWhile: object | undefined;
  /** What began a connection, until its first request is read. */
  const begun = new WeakMap<Socket, string>();
  // The first listener is the one by which a server begins to read HTTP; others only watch.
  const [begin] = server.listeners("connection") as ((socket: Socket) => void)[]; // its only kind
  invariant(begin !== undefined, "an HTTP server listens for connections");
  server.off("connection", begin);
  const handOver = (socket: Socket, head: string | undefined): void => {
    if (head !== undefined) begun.set(socket, head);
    begin.call(server, socket);
  };
  server.on("connection", (socket: Socket) => serve(edge, { server, socket, known, handOver }));
  return {
    learnerOf(req) {
      const head = begun.get(req.socket);
      if (head === undefined) return undefined;
      begun.delete(req.socket);
      if (head !== usualTextOf(req) || !isHarmless(req)) return undefined;
      const { headersDistinct } = req;
      return (route) => (how) => {
        if (how.asLongAs !== holdsWhile) known.clear();
        holdsWhile = how.asLongAs;
        if (known.size >= entriesMax) known.delete(known.keys().next().value ?? "");
        known.set(head, { ...how, route, headersDistinct });
      };
    },
  };
}

/** The one usual spelling of what was read. Bytes that equal it were read whole, and nothing else was in them. */
function usualTextOf({ method, url, rawHeaders }: IncomingMessage): string {
  let text = `${method} ${url} HTTP/1.1\r\n`;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2)
    text += `${rawHeaders[index]}: ${rawHeaders[index + 1]}\r\n`;
  return `${text}\r\n`;
}

function isHarmless({ method, rawHeaders, headers }: IncomingMessage): boolean {
  return (
    method === "GET" &&
    rawHeaders.every((name, index) => index % 2 === 1 || harmless.has(name.toLowerCase())) &&
    (headers.connection ?? "keep-alive").toLowerCase() === "keep-alive"
  );
}

type Lane = {
  readonly server: Server;
  readonly socket: Socket;
  readonly known: ReadonlyMap<string, Entry>;
  readonly handOver: (socket: Socket, head: string | undefined) => void;
};

/** Answers what is recognised, until something is not. */
function serve(edge: Edge, { server, socket, known, handOver }: Lane): void {
  let hasAnswered = false;
  const leave = (chunk: Buffer, head: string | undefined): void => {
    socket.off("data", onData).off("end", onEnd).off("error", onGone).off("timeout", onGone);
    socket.setTimeout(0);
    socket.pause();
    socket.unshift(chunk);
    handOver(socket, head);
    socket.resume();
  };
  const send = (answer: Bytes): void => {
    if (!hasAnswered) socket.setTimeout(server.keepAliveTimeout);
    hasAnswered = true;
    if (write(socket, answer)) return;
    // Whoever does not read what it asked for is not answered any more meanwhile.
    socket.pause();
    socket.once("drain", () => socket.resume());
  };
  const sendLater = async (
    counting: Promise<Bytes | undefined>,
    chunk: Buffer,
    head: string,
  ): Promise<void> => {
    socket.pause();
    // Who asks too often is told so over there.
    const answer = await counting.catch(() => undefined);
    if (socket.destroyed) return;
    if (answer === undefined) return leave(chunk, head);
    socket.resume();
    send(answer);
  };
  const onData = (chunk: Buffer): void => {
    const head = chunk.length > headBytesMax ? undefined : chunk.toString("latin1");
    const entry = head === undefined ? undefined : known.get(head);
    if (head === undefined || entry === undefined || edge.isDraining()) return leave(chunk, head);
    const answer = triedAnswer(edge, server, { entry, socket });
    if (answer instanceof Promise) return void sendLater(answer, chunk, head);
    return answer === undefined ? leave(chunk, head) : send(answer);
  };
  const onEnd = (): void => void socket.end();
  const onGone = (): void => void socket.destroy();
  socket.setTimeout(server.headersTimeout);
  socket.on("data", onData).on("end", onEnd).on("error", onGone).on("timeout", onGone);
}

/** A head, and behind it a body that is no ASCII. */
type Bytes = string | readonly [string, Buffer];

function write(socket: Socket, answer: Bytes): boolean {
  if (typeof answer === "string") return socket.write(answer, "latin1");
  socket.cork();
  socket.write(answer[0], "latin1");
  const mayGoOn = socket.write(answer[1]);
  socket.uncork();
  return mayGoOn;
}

const none: Readonly<Record<string, string>> = {};

type Asked = { readonly entry: Entry; readonly socket: Socket };

/** A throw in a listener of a socket would end the process: over there it is one refusal. */
function triedAnswer(edge: Edge, server: Server, asked: Asked): ReturnType<typeof answerOf> {
  try {
    return answerOf(edge, server, asked);
  } catch (error) {
    edge.options.log.error({ error }, "what is known could not be answered");
    return undefined;
  }
}

/** The whole answer as node:http would send it; undefined when the request must be looked at after all. */
function answerOf(
  edge: Edge,
  server: Server,
  { entry, socket }: Asked,
): Bytes | undefined | Promise<Bytes | undefined> {
  const { counting, headersDistinct } = entry;
  if (counting.limit === undefined && edge.options.limits?.address === undefined)
    return written(edge, server, { entry, left: none });
  const ip = edge.addressOf({ socket, headersDistinct });
  const limits = countedByAddress(edge, { ...counting, open: true, call: { ip } });
  if (limits.length === 0) return written(edge, server, { entry, left: none });
  return countAll(edge.counters, limits, edge.options.clock.now()).then((left) =>
    written(edge, server, { entry, left }),
  );
}

function written(
  edge: Edge,
  server: Server,
  { entry, left }: { readonly entry: Entry; readonly left: Readonly<Record<string, string>> },
): Bytes | undefined {
  const { clock } = edge.options;
  const startedNs = clock.monotonicNs();
  const now = clock.now();
  const requestId = newId("request");
  const log = lazyChild(edge.options.log, { request_id: requestId });
  const answer = entry.answer({ requestId, now });
  if (answer === undefined) return undefined;
  const { status, headers, body } = answer;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  head += `X-Request-Id: ${requestId}\r\n${left === none ? "" : linesOf(left)}${linesOf(headers)}`;
  const bytes = Buffer.byteLength(body);
  head += `Content-Length: ${bytes}\r\nDate: ${dateOf(now)}\r\nConnection: keep-alive\r\n`;
  head += `Keep-Alive: timeout=${Math.floor(server.keepAliveTimeout / secondMs)}\r\n\r\n`;
  observe(edge, { method: "GET", route: entry.route, status, startedNs, log });
  return bytes === body.length ? head + body : [head, Buffer.from(body)];
}

function linesOf(headers: Readonly<Record<string, string | readonly string[]>>): string {
  let lines = "";
  for (const name of Object.keys(headers)) {
    const values = headers[name] ?? [];
    for (const value of typeof values === "string" ? [values] : values) {
      invariant(!value.includes("\n") && !value.includes("\r"), "a header's value is one line");
      lines += `${name}: ${value}\r\n`;
    }
  }
  return lines;
}

let datedS = 0;
let date = "";

/** RFC 9110 §5.6.7, made once a second. */
function dateOf(now: Instant): string {
  const second = toNumericDate(now);
  if (second !== datedS) date = toDate(now).toUTCString();
  datedS = second;
  return date;
}
