import { readFile } from "node:fs/promises";
import { Pool } from "undici";

/** Where the API server is, and by what it knows us: both change while we run. */
export type ClusterAccess = {
  readonly server: string;
  /** Of the service account; read again for each request, since the cluster renews it. */
  readonly tokenFile?: string;
  readonly caFile?: string;
};

/** An answer that is no success: `Status` of the API (k8s.io/apimachinery meta/v1). */
export class KubernetesRefused extends Error {
  override readonly name = "KubernetesRefused";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
export type KubernetesRequest = { readonly method: Method; readonly path: string; readonly body?: object };

/** Speaks to the API server of a cluster. */
export type KubernetesClient = {
  /** The answer as JSON. Throws KubernetesRefused. */
  ask(request: KubernetesRequest): Promise<unknown>;
  /** Each line of a watch as JSON, until it ends, breaks or is aborted. */
  lines(path: string, signal: AbortSignal): AsyncGenerator;
  close(): Promise<void>;
};

const requestMs = 30_000;
// A watch is ended by the server; one on which nothing moves for longer is dead.
const silenceMs = 330_000;
const answerBytesMax = 64 << 20;
const lineBytesMax = 4 << 20;

export async function openKubernetes(access: ClusterAccess): Promise<KubernetesClient> {
  const ca = access.caFile === undefined ? undefined : await readFile(access.caFile, "utf8");
  const pool = new Pool(access.server, {
    connections: 8,
    headersTimeout: requestMs,
    bodyTimeout: silenceMs,
    ...(ca !== undefined && { connect: { ca } }),
  });
  const headersFor = async ({ method, body }: KubernetesRequest): Promise<Record<string, string>> => {
    const token = access.tokenFile === undefined ? undefined : await readFile(access.tokenFile, "utf8");
    return {
      accept: "application/json",
      ...(token !== undefined && { authorization: `Bearer ${token.trim()}` }),
      ...(body !== undefined && {
        "content-type": method === "PATCH" ? "application/merge-patch+json" : "application/json",
      }),
    };
  };
  const send = async (request: KubernetesRequest, signal: AbortSignal) => {
    const { method, path, body } = request;
    const answer = await pool.request({
      method,
      path,
      signal,
      headers: await headersFor(request),
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    if (answer.statusCode < 300) return answer;
    const text = await answer.body.text();
    throw new KubernetesRefused(answer.statusCode, messageOf(text));
  };
  return {
    ask: async (request) => {
      const { body } = await send(request, AbortSignal.timeout(requestMs));
      return JSON.parse(await textOf(body));
    },
    async *lines(path, signal) {
      const { body } = await send({ method: "GET", path }, signal);
      yield* jsonLines(body);
    },
    close: () => pool.destroy(),
  };
}

function messageOf(text: string): string {
  try {
    const status: unknown = JSON.parse(text);
    const message: unknown =
      typeof status === "object" && status !== null ? Reflect.get(status, "message") : "";
    return typeof message === "string" ? message : text.slice(0, 500);
  } catch {
    return text.slice(0, 500);
  }
}

async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > answerBytesMax) throw new KubernetesRefused(502, "the answer is larger than we read");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function* jsonLines(body: AsyncIterable<Uint8Array>): AsyncGenerator {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    if (rest.length > lineBytesMax) throw new KubernetesRefused(502, "an event is larger than we read");
    for (const line of lines) if (line.trim() !== "") yield JSON.parse(line) as unknown;
  }
}
