import { isJsonObject, type JsonObject, Problem, parseJson, readJson } from "@remit/protocol";
import { type UpstreamAnswer, valuesOf } from "../proxy/index.ts";

/** JSON-RPC 2.0: what names a request, and is repeated in its answer. */
export type RpcId = string | number;

/** One message of a client. Notifications and answers have no id of a request. */
export type Message = {
  readonly json: JsonObject;
  readonly method: string | undefined;
  readonly params: JsonObject;
  readonly id: RpcId | undefined;
};

const bytesMax = 1024 * 1024;

/**
 * The one message of a POST (MCP, Streamable HTTP, "Sending Messages"). What two programs could read differently is refused,
 * a list of several among it: the upstream must see the very call that was judged.
 */
export function readMessage(body: Uint8Array): Message {
  const json = parseJson(body, { bytesMax });
  if (!isJsonObject(json) || json["jsonrpc"] !== "2.0")
    throw new Problem("invalid_request", { detail: "The body is not one message of JSON-RPC 2.0." });
  const { method, params = {}, id } = json;
  if (method !== undefined && typeof method !== "string")
    throw new Problem("invalid_request", { detail: "method is no text." });
  if (!isJsonObject(params)) throw new Problem("invalid_request", { detail: "params is no object." });
  if (id !== undefined && typeof id !== "string" && typeof id !== "number")
    throw new Problem("invalid_request", { detail: "id is no text and no number." });
  return { json, method, params, id };
}

export const metaOf = ({ _meta: meta }: JsonObject): JsonObject => (isJsonObject(meta) ? meta : {});

/** What a server has answered to one request. */
export type RpcAnswer = { readonly result: JsonObject } | { readonly error: JsonObject };

const answerBytesMax = 8 * 1024 * 1024;

/** The answer to `id` in a body that is JSON or an event stream; undefined when there is none. */
export function answerIn(answer: UpstreamAnswer, id: RpcId): RpcAnswer | undefined {
  const type = valuesOf(answer.fields, "content-type")[0] ?? "";
  const text = Buffer.from(answer.body).toString();
  for (const message of /^text\/event-stream\b/i.test(type) ? eventsOf(text) : [text]) {
    const found = readJson(message, answerBytesMax);
    if (!("value" in found) || !isJsonObject(found.value) || found.value["id"] !== id) continue;
    const { result, error } = found.value;
    if (isJsonObject(error)) return { error };
    if (isJsonObject(result)) return { result };
  }
  return undefined;
}

/** The data of each event (HTML, "Interpreting an event stream"). */
const eventsOf = (text: string): string[] =>
  text.split(/\r\n\r\n|\n\n|\r\r/).map((event) =>
    event
      .split(/\r\n|\n|\r/)
      .flatMap((line) => (line.startsWith("data:") ? [line.slice(5).replace(/^ /, "")] : []))
      .join("\n"),
  );

export const envelope = (id: RpcId, answer: RpcAnswer): JsonObject => ({ jsonrpc: "2.0", id, ...answer });
