import type { IncomingMessage, ServerResponse } from "node:http";
import { invariant } from "@remit/kernel";
import { type PageCall, readBody } from "@remit/platform/http";
import { canonicalise, isJsonObject, type JsonObject, Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { type Credential, readCredential } from "../credentials/index.ts";
import {
  type Merchant,
  type OpenRoute,
  type PaidRoute,
  type Shop,
  type Target,
  type ToolServer,
  toolServerAt,
  upstreamTarget,
} from "../offers/index.ts";
import {
  type Fields,
  fieldsOf,
  hasBody,
  type UpstreamAnswer,
  upwardFields,
  valuesOf,
} from "../proxy/index.ts";
import { idempotencyKeyOf, type PaidRequest } from "../purchases/index.ts";
import {
  type OwnDoor,
  passOn,
  type StorefrontDeps,
  unsettled,
  wantsFreshTerms,
} from "../storefront/index.ts";
import { type Asking, paymentRequired, refusal, soldAnswer, type Tried, unknownTool } from "./answers.ts";
import { paymentFieldsOf, upwardMessage, withoutOurs } from "./credentials.ts";
import { createDefinitions, type Definitions, type Listed, type UpwardCall } from "./definitions.ts";
import { judgeTool } from "./goods.ts";
import { pricedTools, withPayment } from "./manifest.ts";
import {
  answerIn,
  envelope,
  type Message,
  metaOf,
  type RpcAnswer,
  type RpcId,
  readMessage,
} from "./messages.ts";
import {
  advertisesErrors,
  conventionOf,
  markedSession,
  resultTypeOf,
  sessionHeader,
  sessionOf,
} from "./sessions.ts";

type McpDeps = Omit<StorefrontDeps, "book" | "doors"> & { readonly definitions: Definitions };

type Called = {
  readonly call: PageCall;
  readonly shop: Shop;
  readonly server: ToolServer;
  readonly target: Target;
  readonly fields: Fields;
};
type Asked = Called & { readonly message: Message; readonly id: RpcId };

const bodyBytesMax = 1024 * 1024;
const listBytesMax = 8 * 1024 * 1024;

/**
 * MCP servers behind shops (Streamable HTTP): a tool is sold like a route, by the same counter. All else passes, and a
 * session stays between client and server; what a client hears of tools says what they cost.
 */
export function mcpDoor(given: Omit<McpDeps, "definitions">): OwnDoor {
  const deps = { ...given, definitions: createDefinitions(given.upstreams, given.clock) };
  return (call, { shop, target }) => {
    const server = toolServerAt(shop, target.path);
    if (server === undefined) return undefined;
    const fields = fieldsOf(call.raw.req.rawHeaders);
    return serveMcp(deps, { call, shop, server, target, fields });
  };
}

/** The stream, the end of a session, and what is asked beforehand (MCP, Streamable HTTP). */
const unpaidMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS"]);

async function serveMcp(deps: McpDeps, called: Called): Promise<void> {
  const { req, res } = called.call.raw;
  checkSender(req, called.shop.merchant);
  if (req.method !== "POST") {
    // A server may take a call that is put as one that is posted: nothing with a body passes but what is judged.
    if (!unpaidMethods.has(req.method ?? "") || hasBody(req))
      throw new Problem("method_not_allowed", { headers: { allow: [...unpaidMethods, "POST"].join(", ") } });
    return await pass(deps, called, {});
  }
  const message = readMessage(await readBody(req, bodyBytesMax));
  const { id, method } = message;
  if (id === undefined) {
    // Nobody could be told what it costs ("Notifications": a call that is paid for is not processed as one).
    if (method === "tools/call") return void res.writeHead(202).end();
    return await pass(deps, called, { message });
  }
  const asked = { ...called, message, id };
  if (method === "tools/call") return await callTool(deps, asked);
  if (method === "tools/list")
    return await retell(deps, asked, (result) => pricedTools(called.server, result));
  if (method === "initialize" || method === "server/discover")
    return await retell(deps, asked, (result) => withPayment(called.server, result));
  await pass(deps, called, { message });
}

/**
 * MCP, Streamable HTTP, "Security Warning": whoever opens a page must not have its script call the tools that this machine can
 * reach (G11). A name that leads here by another's DNS sells nothing (`shopAt`); a page of another origin is refused; and what a
 * browser would send without asking first is no JSON.
 */
function checkSender({ method, headers }: IncomingMessage, { origin }: Merchant): void {
  if (headers.origin !== undefined && headers.origin !== new URL(origin).origin)
    throw new Problem("origin_not_allowed");
  if (method === "POST" && !/^application\/json(?: *;|$)/i.test(headers["content-type"] ?? ""))
    throw new Problem("unsupported_media_type", { detail: "Send application/json." });
}

/** Passes it on as it is, and the answer as it comes. */
async function pass(
  deps: McpDeps,
  { call, server, target, fields }: Called,
  more: { readonly message?: Message; readonly route?: OpenRoute },
): Promise<void> {
  const { message, route = server.open } = more;
  const session = sessionOf(fields);
  const body = message && Buffer.from(JSON.stringify(upwardMessage(message, { isPaid: false })));
  await passOn(deps, call, {
    route,
    target,
    change: (request) => ({
      ...request,
      ...(body !== undefined && { body }),
      withheld: new Set([
        ...request.withheld,
        sessionHeader.toLowerCase(),
        "content-length",
        "content-encoding",
      ]),
      added: [...request.added, ...upwardSession(session).flat()],
      // The official server names the session in every answer, and clients take the last name for theirs.
      retold: (name, value) =>
        name.toLowerCase() === sessionHeader.toLowerCase()
          ? (markedSession(value, session.wantsErrors) ?? value)
          : value,
    }),
  });
}

const upwardSession = ({ upstream }: { readonly upstream?: string }): Fields =>
  upstream === undefined ? [] : [[sessionHeader, upstream]];

/** Asks the upstream, and answers what it says in words of our own. */
async function retell(
  deps: McpDeps,
  asked: Asked,
  change: (result: JsonObject) => JsonObject,
): Promise<void> {
  const { call, message, id } = asked;
  const answer = await deps.upstreams.fetch(upwardCall(asked)(upwardMessage(message, { isPaid: false })));
  const found = answer.status >= 400 ? undefined : answerIn(answer, id);
  if (found === undefined) return sendRefused(call.raw.res, answer);
  const [name] = valuesOf(answer.fields, sessionHeader.toLowerCase());
  const wantsErrors =
    message.method === "initialize" ? advertisesErrors(message.params) : sessionOf(asked.fields).wantsErrors;
  const isNamed = message.method === "initialize" || name !== undefined;
  const session = isNamed ? markedSession(name, wantsErrors) : undefined;
  const told = "result" in found ? { result: change(found.result) } : found;
  send(call.raw.res, envelope(id, told), session === undefined ? [] : [[sessionHeader, session]]);
}

/** How any message of this client's session goes to the server behind the shop. */
function upwardCall(asked: Asked): UpwardCall {
  const { open: route } = asked.server;
  const origin = new URL(route.merchant.origin);
  return (message) => ({
    origin: route.upstream,
    method: "POST",
    target: upstreamTarget(route, asked.target),
    fields: upwardFields(named(fieldsUp(asked), message), {
      Host: new URL(route.upstream).host,
      "X-Forwarded-Host": origin.host,
      "X-Forwarded-Proto": origin.protocol.slice(0, -1),
    }),
    body: Buffer.from(JSON.stringify(message)),
    timeoutMs: route.timeoutMs,
    bodyBytesMax: listBytesMax,
  });
}

/** The fields that repeat what a call is (MCP 2026-07-28, "Standard Headers"), for the message that goes. */
const named = (fields: Fields, { method }: JsonObject): Fields =>
  fields.flatMap(([name, value]) => {
    if (/^mcp-method$/i.test(name)) return [[name, typeof method === "string" ? method : ""] as const];
    return /^mcp-name$/i.test(name) && method !== "tools/call" ? [] : [[name, value] as const];
  });

/** The upstream has refused by HTTP, or said nothing that could be changed. */
function sendRefused(res: ServerResponse, { status, fields, body }: UpstreamAnswer): void {
  res.writeHead(status, [...fields, ["Content-Length", String(body.length)]].flat());
  res.end(body);
}

async function callTool(deps: McpDeps, asked: Asked): Promise<void> {
  const { call, server, message, id } = asked;
  const { name } = message.params;
  const route = typeof name === "string" ? server.toolOf(name) : undefined;
  if (route === undefined) return send(call.raw.res, envelope(id, unknownTool(name ?? null)));
  const seen = { statusCode: 200 };
  const close = (listener: () => void): unknown => call.raw.res.once("close", listener);
  deps.traffic.count(
    route,
    Object.assign(live(seen), { once: (_: string, listener: () => void) => close(listener) }),
  );
  if (route.gate !== "paid") return await pass(deps, asked, { message, route });
  const answer = await sellTool(deps, asked, route);
  seen.statusCode = answer.status;
  if ("refused" in answer) return sendRefused(call.raw.res, answer.refused);
  send(call.raw.res, envelope(id, answer.told), [
    ["Cache-Control", answer.status === 200 ? "private" : "no-store"],
  ]);
}

/** A status that is known only at the end. */
const live = (of: { readonly statusCode: number }): { readonly statusCode: number } => ({
  get statusCode() {
    return of.statusCode;
  },
});

type ToolAnswer = { readonly status: number } & (
  | { readonly told: RpcAnswer }
  | { readonly refused: UpstreamAnswer }
);

/** What the tool says to who pays, or what it costs. Whatever is wrong with a payment is answered with fresh terms. */
async function sellTool(deps: McpDeps, asked: Asked, route: PaidRoute): Promise<ToolAnswer> {
  const { message, fields } = asked;
  let request: PaidRequest | undefined;
  let credential: Credential | undefined;
  try {
    request = requestFor(asked, route);
    credential = readCredential([...fields, ...paymentFieldsOf(message)]);
    if (credential === undefined) deps.upstreams.check(route.upstream, route.health?.path);
    const listed = await listedTool(deps, asked, route);
    request = { ...request, ...(listed && { tool: listed.tool }) };
    if (credential === undefined) throw new Problem("payment_required");
    if (listed?.gone !== undefined) return { status: listed.gone.status, refused: listed.gone };
    const sold = await deps.counter.sell(request, credential);
    invariant(sold.kind !== "stream", "no tool is sold that streams");
    const resultType = resultTypeOf(message, fields);
    const told = soldAnswer(sold, { issuer: deps.terms.issuer, credential, resultType });
    if (told !== undefined) return { status: sold.kind === "paid" ? 200 : 502, told };
    if (sold.answer instanceof Problem) throw sold.answer;
    return { status: sold.answer.status, refused: sold.answer };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    const told = refusedBy(deps, asked, { problem: error, request, credential });
    return { status: error.status, told };
  }
}

/** How the tool is listed now, where somebody may have said yes to it: what pays without a mandate has asked nobody. */
async function listedTool(deps: McpDeps, asked: Asked, { ways }: PaidRoute): Promise<Listed | undefined> {
  const { name } = asked.message.params;
  if (typeof name !== "string" || !ways.some(({ rail }) => rail === "mandate")) return undefined;
  const meta = metaOf(withoutOurs(asked.message.params));
  return await deps.definitions.of(upwardCall(asked), { name, meta });
}

function refusedBy(
  deps: McpDeps,
  asked: Asked,
  {
    problem,
    request,
    credential,
  }: {
    readonly problem: Problem;
    readonly request: PaidRequest | undefined;
    readonly credential: Credential | undefined;
  },
): RpcAnswer {
  const { call, shop, message, fields } = asked;
  const { requestId } = call;
  if (problem.code !== "payment_required")
    call.log.info({ code: problem.code, private: problem.private }, "a payment is refused");
  if (request === undefined || !wantsFreshTerms(problem, undefined))
    return refusal(problem, { requestId, origin: shop.merchant.origin });
  const accept = valuesOf(fields, "accept-payment").join(",");
  const asking: Asking = {
    now: deps.clock.now(),
    requestId,
    convention: conventionOf(message, fields),
    resultType: resultTypeOf(message, fields),
    ...(accept !== "" && { acceptPayment: accept }),
  };
  const tried: Tried = { credential, settled: credential && unsettled(problem, credential) };
  return paymentRequired(deps.terms, request, { problem, asking, tried });
}

/**
 * The call as the counter takes it. Tool and arguments stand in for the body: a client numbers its calls anew, and says in
 * the second what pays for the first.
 */
function requestFor(asked: Asked, route: PaidRoute): PaidRequest {
  const { message, target, id, fields } = asked;
  const { name = null, arguments: given = {} } = message.params;
  if (!isJsonObject(given)) throw new Problem("invalid_request", { detail: "arguments is no object." });
  const idempotencyKey = idempotencyKeyOf(valuesOf(fields, "idempotency-key"));
  return {
    route,
    method: "POST",
    url: route.merchant.origin + target.path + target.query,
    target: upstreamTarget(route, target),
    fields: fieldsUp(asked),
    body: Buffer.from(JSON.stringify(upwardMessage(message, { isPaid: true }))),
    bodySha256: sha256(canonicalise({ tool: name, arguments: given })),
    judge: judgeTool(id),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}

// What says how a body is written: the one that goes up is ours.
const ofBody = new Set([
  "accept",
  "content-type",
  "content-length",
  "content-encoding",
  sessionHeader.toLowerCase(),
]);

const fieldsUp = ({ fields }: Pick<Asked, "fields">): Fields => [
  ...fields.filter(([name]) => !ofBody.has(name.toLowerCase())),
  ["Accept", "application/json, text/event-stream"],
  ["Content-Type", "application/json"],
  ...upwardSession(sessionOf(fields)),
];

function send(res: ServerResponse, json: JsonObject, fields: Fields = [["Cache-Control", "no-store"]]): void {
  const body = Buffer.from(JSON.stringify(json));
  const all: Fields = [
    ...fields,
    ["Content-Type", "application/json"],
    ["Content-Length", String(body.length)],
  ];
  res.writeHead(200, all.flat());
  res.end(body);
}
