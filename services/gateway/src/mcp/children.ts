import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import type { Log } from "@remit/platform/telemetry";
import { isJsonObject, type Json, type JsonObject, Problem, parseJson } from "@remit/protocol";
import { type Offers, programOf, type ServerProgram } from "../offers/index.ts";
import type { Pair, PassedRequest, UpstreamAnswer, Upstreams } from "../proxy/index.ts";
import { type Child, startChild } from "./child.ts";
import { envelope, type RpcAnswer, type RpcId } from "./messages.ts";

export type ChildrenDeps = {
  readonly offers: () => Offers;
  readonly env: Readonly<Record<string, string>>;
  readonly clock: Clock;
  readonly log: Log;
};

/**
 * Upstreams that are programs too: one process of each serves everybody, started by the first who asks, and again when it has
 * ended. What belongs to one connection (subscriptions, questions to the client) is not offered, since it has many.
 */
export function withChildren(upstreams: Upstreams, deps: ChildrenDeps): Upstreams {
  const running = new Map<string, Running>();
  const childOf = (origin: string): Child => {
    const program = programOf(deps.offers(), origin);
    if (program === undefined) throw new Problem("upstream_unavailable", { private: { upstream: origin } });
    const known = running.get(origin);
    const isSame = known !== undefined && JSON.stringify(known.program) === JSON.stringify(program);
    if (isSame && !known.child.hasEnded()) return known.child;
    // One that ends as soon as it starts is not started for everybody who asks.
    const now = deps.clock.now();
    const failures = isSame ? known.failures : 0;
    if (isSame && now < after(known.startedAt, restartMs * 2 ** Math.min(failures, backOffMax)))
      throw new Problem("upstream_unavailable", {
        headers: { "Retry-After": "1" },
        private: { upstream: origin },
      });
    known?.child.close().catch((error: unknown) => deps.log.warn({ error }, "an MCP server does not end"));
    const child = startChild(program, { env: deps.env, log: deps.log });
    const lived = known !== undefined && now >= after(known.startedAt, steadyMs);
    running.set(origin, { child, startedAt: now, program, failures: isSame && !lived ? failures + 1 : 0 });
    return child;
  };
  return {
    ...upstreams,
    fetch: async (request) => {
      if (!isProgram(request.origin)) return await upstreams.fetch(request);
      const message = parseJson(request.body ?? "");
      return await answerOf(childOf(request.origin), message as JsonObject, request.timeoutMs);
    },
    pass: async (request, pair) => {
      if (!isProgram(request.origin)) return await upstreams.pass(request, pair);
      await passTo(() => childOf(request.origin), request, pair);
    },
    check: (origin, healthPath) => {
      if (!isProgram(origin)) upstreams.check(origin, healthPath);
    },
    close: async () => {
      await Promise.all([upstreams.close(), ...[...running.values()].map(({ child }) => child.close())]);
    },
  };
}

type Running = {
  readonly child: Child;
  readonly startedAt: Instant;
  readonly program: ServerProgram;
  /** How often in a row it was started anew before it had been well for a while. */
  readonly failures: number;
};

const restartMs = secondMs;
/** At most 64 s between two starts. */
const backOffMax = 6;
const steadyMs = 120 * secondMs;
const isProgram = (origin: string): boolean => origin.startsWith("stdio:");

/** Of one connection, which here is everybody's. */
const ofOneClient = new Set<Json>(["resources/subscribe", "resources/unsubscribe", "logging/setLevel"]);

async function answerOf(child: Child, message: JsonObject, timeoutMs: number): Promise<UpstreamAnswer> {
  const { id, method, params } = message;
  const found: RpcAnswer =
    method === "initialize"
      ? { result: await child.introduction }
      : ofOneClient.has(method ?? null)
        ? { error: { code: -32_601, message: "Not offered: this server is shared." } }
        : await child.ask({ jsonrpc: "2.0", method: method ?? null, ...paramsOf(params) }, timeoutMs);
  const body = Buffer.from(JSON.stringify(envelope(id as RpcId, found))); // read as a request with an id
  return { status: 200, fields: [["Content-Type", "application/json"]], body };
}

/** Without the wish for progress: it would come by a stream that nobody has opened. */
function paramsOf(params: JsonObject[string] | undefined): JsonObject {
  if (!isJsonObject(params)) return {};
  const { _meta: meta, ...rest } = params;
  if (!isJsonObject(meta)) return { params };
  const { progressToken: _, ...kept } = meta;
  return { params: { ...rest, _meta: kept } };
}

/** The door of Streamable HTTP before a program: no session, and no stream of its own. */
async function passTo(child: () => Child, request: PassedRequest, { res }: Pair): Promise<void> {
  if (request.method !== "POST") throw new Problem("method_not_allowed", { headers: { allow: "POST" } });
  const message = parseJson(request.body ?? "");
  if (!isJsonObject(message) || message["id"] === undefined || message["method"] === undefined)
    return void res.writeHead(202).end();
  const { fields, body } = await answerOf(child(), message, request.timeoutMs);
  res.writeHead(200, [...fields, ["Content-Length", String(body.length)]].flat());
  res.end(body);
}
