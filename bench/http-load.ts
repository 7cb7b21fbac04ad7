import { connect, type Socket } from "node:net";
import { round } from "./measure.ts";

/** One prepared request: everything of it is made before the clock starts, so that its maker is not what is measured. */
export type Prepared = Buffer;

export type Load = { readonly rate: number; readonly p50_ms: number; readonly p95_ms: number };

/** A POST of a form in the bytes that go over the wire. */
export function prepare(
  url: URL,
  {
    form,
    headers = {},
  }: { form: Readonly<Record<string, string>>; headers?: Readonly<Record<string, string>> },
): Prepared {
  const body = new URLSearchParams(form).toString();
  const lines = [
    `POST ${url.pathname} HTTP/1.1`,
    `Host: ${url.host}`,
    "Content-Type: application/x-www-form-urlencoded",
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`);
}

/** Sends each request once over so many connections; an answer that is not as it must be ends the bench. */
export async function send(
  url: URL,
  requests: readonly Prepared[],
  { inFlight, accept }: { readonly inFlight: number; readonly accept: (answer: string) => boolean },
): Promise<Load> {
  let next = 0;
  const one = { next: () => requests[next++], accept };
  return sendChains(
    url,
    Array.from({ length: inFlight }, () => one),
  );
}

/** Requests of which each may depend on the answer before it. */
export type Chain = {
  readonly next: () => Prepared | undefined;
  readonly accept: (answer: string) => boolean;
};

/** Sends the requests of each chain over a connection of its own, one after another, until it has no more. */
export async function sendChains(url: URL, chains: readonly Chain[]): Promise<Load> {
  const latencies: number[] = [];
  const started = performance.now();
  const sendOne = async (chain: Chain): Promise<void> => {
    const connection = await open(url);
    for (let request = chain.next(); request !== undefined; request = chain.next()) {
      const sent = performance.now();
      const answer = await connection.exchange(request);
      latencies.push(performance.now() - sent);
      if (!chain.accept(answer)) throw new Error(`an answer is wrong: ${answer.slice(0, 600)}`);
    }
    connection.end();
  };
  await Promise.all(chains.map(sendOne));
  const seconds = (performance.now() - started) / 1000;
  latencies.sort((a, b) => a - b);
  const at = (part: number): number => round(latencies[Math.floor(latencies.length * part)] ?? 0, 3);
  return { rate: round(latencies.length / seconds, 1), p50_ms: at(0.5), p95_ms: at(0.95) };
}

type Connection = { exchange(request: Prepared): Promise<string>; end(): void };

async function open(url: URL): Promise<Connection> {
  const socket: Socket = connect({ host: "127.0.0.1", port: Number(url.port), noDelay: true });
  await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  let received = "";
  let waiting: PromiseWithResolvers<string> | undefined;
  socket.setEncoding("latin1");
  socket.on("data", (text: string) => {
    received += text;
    const end = endOf(received);
    if (end === undefined || received.length < end) return;
    const answer = received.slice(0, end);
    received = received.slice(end);
    waiting?.resolve(answer);
  });
  const failed = (why: string) => (): void => waiting?.reject(new Error(why));
  socket.on("close", failed("the server closed the connection")).on("error", failed("the connection broke"));
  return {
    exchange(request) {
      waiting = Promise.withResolvers();
      socket.write(request);
      return waiting.promise;
    },
    end: () => void socket.destroy(),
  };
}

/** Where the answer that begins the text ends; undefined while its head is not whole. */
function endOf(text: string): number | undefined {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return undefined;
  const length = /\r\ncontent-length: (\d+)/i.exec(text.slice(0, head))?.[1];
  if (length !== undefined) return head + 4 + Number(length);
  if (!/\r\ntransfer-encoding: chunked/i.test(text.slice(0, head)))
    throw new Error(`an answer without a length: ${text.slice(0, head)}`);
  // The peers' answers are short text, in which an empty chunk is the last one.
  const last = text.indexOf("\r\n0\r\n\r\n", head);
  return last < 0 ? undefined : last + 7;
}
