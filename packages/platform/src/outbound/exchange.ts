import { Problem } from "@remit/protocol";
import { type Dispatcher, request as send } from "undici";

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

const timeoutMsUsual = 10_000;
const bodyBytesMaxUsual = 1 << 20;

/** One request and its whole answer, within its limits of time and size. */
export async function exchange(dispatcher: Dispatcher, wanted: OutboundRequest): Promise<OutboundAnswer> {
  try {
    const answer = await send(wanted.url, {
      dispatcher,
      method: wanted.method ?? "GET",
      headers: { ...wanted.headers },
      body: wanted.body ?? null,
      signal: AbortSignal.timeout(wanted.timeoutMs ?? timeoutMsUsual),
    });
    const encoding = answer.headers["content-encoding"] ?? "identity";
    if (encoding !== "identity") {
      // Ending a body early is an error of that stream, and ours on purpose.
      answer.body.on("error", () => undefined).destroy();
      const because = `the answer is encoded as ${String(encoding)}, which nobody asked for`;
      throw failed(wanted, { because, why: "encoded", status: answer.statusCode });
    }
    const body = await readAtMost(answer, wanted);
    return { status: answer.statusCode, headers: plainHeaders(answer.headers), body };
  } catch (error) {
    if (error instanceof Problem) throw error;
    const because = error instanceof Error ? error.message : "no answer";
    const timedOut = error instanceof Error && error.name === "TimeoutError";
    throw failed(wanted, { because, ...(timedOut ? { why: "timeout" } : {}) }, error);
  }
}

type Failure = {
  readonly because: string;
  readonly why?: "encoded" | "timeout" | "too_large";
  /** Of an answer whose body is the trouble. */
  readonly status?: number;
};

const failed = ({ url }: OutboundRequest, failure: Failure, cause?: unknown): Problem =>
  new Problem("outbound_failed", { private: { host: URL.parse(url)?.host, ...failure }, cause });

async function readAtMost(
  { body, statusCode: status }: Dispatcher.ResponseData,
  wanted: OutboundRequest,
): Promise<Uint8Array> {
  const bytesMax = wanted.bodyBytesMax ?? bodyBytesMaxUsual;
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    // undici's body yields Buffers; its type says any
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it the connection.
    if (bytes > bytesMax) {
      const because = `the answer is larger than ${bytesMax} bytes`;
      throw failed(wanted, { because, why: "too_large", status });
    }
    chunks.push(chunk);
  }
  return new Uint8Array(Buffer.concat(chunks));
}

const plainHeaders = (headers: Dispatcher.ResponseData["headers"]): Record<string, string> =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
    ),
  );
