import { randomUUID } from "node:crypto";
import { type IncomingMessage, request, type ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";
import { newId } from "@remit/kernel";
import {
  base64url,
  type Challenge,
  canonicalise,
  isJsonObject,
  type JsonObject,
  type PaymentRequirement,
  parseRequirement,
} from "@remit/protocol";
import type { Ask } from "./world.ts";

export type Call = {
  readonly name: string;
  readonly arguments: unknown;
  readonly meta: unknown;
  readonly params: JsonObject;
};

/** A server of the official library, as somebody has written it who knows nothing of payments. */
export type Tools = {
  readonly calls: Call[];
  readonly requests: IncomingMessage[];
  /** What is listed of a tool instead. */
  readonly says: Map<string, object>;
  /** What becomes of a connection on which a tool is called. */
  trouble: ((req: IncomingMessage, res: ServerResponse, id: unknown) => void) | undefined;
  answer(req: IncomingMessage, res: ServerResponse): void;
  /** The same without sessions; a token that it does not know is refused. */
  answerAlone(req: IncomingMessage, res: ServerResponse): void;
};

const listed = ["report", "sibling", "echo", "secret", "fails", "throws"];

export function createToolServer(calls: Call[], says: ReadonlyMap<string, object> = new Map()): Server {
  const server = new Server({ name: "tools", version: "1.0.0" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: listed.map((name) => ({
      name,
      description: `The ${name}.`,
      inputSchema: { type: "object" as const },
      ...says.get(name),
    })),
  }));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, { sendNotification }) => {
    const { name, arguments: given = {} } = params;
    calls.push({ name, arguments: given, meta: params._meta, params: params as unknown as JsonObject });
    const progressToken = params._meta?.progressToken;
    if (progressToken !== undefined)
      await sendNotification({ method: "notifications/progress", params: { progressToken, progress: 1 } });
    if (name === "fails") return { isError: true, content: [{ type: "text", text: "no data today" }] };
    if (name === "throws") throw new McpError(-32_001, "out of order");
    return {
      content: [{ type: "text", text: `${name} ${JSON.stringify(given)}` }],
      // Whoever believes this has been told that he has paid.
      _meta: { "x402/payment-response": { success: true }, "remit/receipt": "forged", "own/note": 1 },
    };
  });
  return server;
}

export function startTools(): Tools {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const tools: Tools = {
    calls: [],
    requests: [],
    says: new Map(),
    trouble: undefined,
    answer: (req, res) => void serve(req, res),
    answerAlone: (req, res) => void serveAlone(req, res),
  };
  async function serveAlone(req: IncomingMessage, res: ServerResponse): Promise<void> {
    if (req.headers.authorization !== undefined) return void res.writeHead(401).end();
    const transport = new StreamableHTTPServerTransport({});
    await createToolServer(tools.calls, tools.says).connect(transport);
    await transport.handleRequest(req, res);
  }
  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    tools.requests.push(req);
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer); // no encoding is set, so chunks are buffers
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    const isCall = isJsonObject(body) && body["method"] === "tools/call";
    if (isCall && tools.trouble !== undefined) return tools.trouble(req, res, body["id"]);
    const named = req.headers["mcp-session-id"];
    const known = typeof named === "string" ? sessions.get(named) : undefined;
    if (named !== undefined && known === undefined) return void res.writeHead(404).end("no such session");
    const transport = known ?? (await openSession());
    await transport.handleRequest(req, res, body);
  }
  async function openSession(): Promise<StreamableHTTPServerTransport> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await createToolServer(tools.calls, tools.says).connect(transport);
    return transport;
  }
  return tools;
}

/** fetch with a Host of one's own, which that of node does not have. */
export const fetchAt =
  (address: string, host = "shop.test") =>
  async (input: string | URL, init: RequestInit = {}): Promise<Response> => {
    const { pathname, search } = new URL(input);
    const { hostname, port } = new URL(address);
    const headers = { ...Object.fromEntries(new Headers(init.headers)), host };
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const options = { hostname, port, path: pathname + search, method: init.method ?? "GET", headers };
    const req = request({ ...options, ...(init.signal && { signal: init.signal }) });
    req.on("response", resolve).on("error", reject).end(init.body);
    const res = await promise;
    const status = res.statusCode ?? 0;
    const body = [202, 204].includes(status) ? null : (Readable.toWeb(res) as ReadableStream<Uint8Array>);
    return new Response(body, { status, headers: new Headers(res.headers as Record<string, string>) });
  };

/** The official client, connected to the shop's server. */
export async function connectTo(
  address: string,
  more: { readonly capabilities?: object; readonly path?: string } = {},
): Promise<Client> {
  const { capabilities = {}, path = "/mcp" } = more;
  const client = new Client({ name: "agent", version: "1.0.0" }, { capabilities });
  const transport = new StreamableHTTPClientTransport(new URL(`http://shop.test${path}`), {
    fetch: fetchAt(address),
  });
  await client.connect(transport);
  return client;
}

/** A POST of one message, as bytes that no library would send. */
export const rpc = (message: unknown, headers: Record<string, string> = {}): Ask => ({
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream", ...headers },
  body: typeof message === "string" ? message : JSON.stringify(message),
});

export const callOf = (name: string, meta?: JsonObject, args: JsonObject = { city: "Bern" }): JsonObject => ({
  jsonrpc: "2.0",
  id: newId("request"),
  method: "tools/call",
  params: { name, arguments: args, ...(meta !== undefined && { _meta: meta }) },
});

/** What an unpaid call says, in both conventions. */
export type Unpaid = { readonly entries: PaymentRequirement[]; readonly challenges: JsonObject[] };

export function unpaidOf(result: unknown): Unpaid {
  const { structuredContent, _meta } = result as {
    structuredContent: { accepts: JsonObject[] };
    _meta: JsonObject;
  };
  const required = _meta["org.paymentauth/payment-required"] as { challenges: JsonObject[] };
  return { entries: structuredContent.accepts.map(parseRequirement), challenges: required.challenges };
}

export const payX402 = (
  accepted: PaymentRequirement,
  payload: JsonObject,
  extensions?: JsonObject,
): JsonObject => ({
  "x402/payment": { x402Version: 2, accepted: { ...accepted }, payload, ...(extensions && { extensions }) },
});

export const payMpp = (challenge: JsonObject, payload: JsonObject): JsonObject => ({
  "org.paymentauth/credential": { challenge, payload },
});

/** A challenge as it would have come over HTTP. */
export const challengeOf = (json: JsonObject): Challenge =>
  ({
    ...json,
    request: base64url.encode(canonicalise(json["request"] as JsonObject)),
  }) as unknown as Challenge;

export const byMethod = ({ challenges }: Unpaid, method: string): JsonObject => {
  const found = challenges.find((challenge) => challenge["method"] === method);
  if (found === undefined) throw new Error(`no challenge of ${method}`);
  return found;
};

export const byScheme = ({ entries }: Unpaid, scheme: string): PaymentRequirement => {
  const found = entries.find((entry) => entry.scheme === scheme);
  if (found === undefined) throw new Error(`no entry of ${scheme}`);
  return found;
};
