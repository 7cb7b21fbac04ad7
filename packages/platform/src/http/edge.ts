import type { IncomingMessage, ServerResponse } from "node:http";
import { newId } from "@remit/kernel";
import { Problem, type ProblemCode } from "@remit/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Counters } from "../counters/index.ts";
import type { Criticality, Pressure } from "../host/index.ts";
import type { Log, LogFields } from "../telemetry/index.ts";
import { type CallerAddress, countedAddress } from "./caller-address.ts";
import type { Followed } from "./follow.ts";
import type { HttpOptions } from "./options.ts";
import { type Counted, countAll } from "./rate-limit.ts";
import type { Call, Caller, Limit } from "./route.ts";
import type { SecurityHeaders } from "./security-headers.ts";
import { waitAside } from "./shed.ts";

/** What all requests of one server share. */
export type Edge = {
  readonly options: HttpOptions;
  readonly counters: Counters;
  readonly addressOf: CallerAddress;
  readonly headers: SecurityHeaders;
  readonly bodyBytesMax: number;
  readonly isDraining: () => boolean;
  readonly pressure: Pressure;
};

declare module "fastify" {
  interface FastifyContextConfig {
    /** Of what comes this way; absent for what nothing is declared for. */
    criticalityOf?: (request: IncomingMessage) => Criticality | "never_shed";
  }
  interface FastifyRequest {
    /** Set before anything else runs; absent only when the request could not even be routed. */
    remitCall: Call | undefined;
    /** Once its caller is known, where requests are followed. */
    remitFollowed: Followed | undefined;
    /** What it was refused for. */
    remitProblem: ProblemCode | undefined;
  }
}

/**
 * The call of a request before anybody is authenticated. One per request, made by the first hook; without an answer where the
 * connection becomes another.
 */
export function openCall(edge: Edge, request: IncomingMessage, res?: ServerResponse): Call {
  const { clock, origin, log } = edge.options;
  const requestId = newId("request");
  return {
    requestId,
    now: clock.now(),
    ip: edge.addressOf(request),
    method: request.method ?? "GET",
    url: origin + (request.url ?? "/"),
    log: lazyChild(log, { request_id: requestId }),
    header: (name) => headerOf(request, name),
    waits: (news) => waitAside(res, news),
  };
}

/** A child that is made when it first has something to say: most requests never log, and making one is not free. */
export function lazyChild(log: Log, fields: LogFields): Log {
  let made: Log | undefined;
  const child = (): Log => (made ??= log.child(fields));
  return {
    isVerbose: log.isVerbose,
    debug: (more, text) => child().debug(more, text),
    info: (more, text) => child().info(more, text),
    warn: (more, text) => child().warn(more, text),
    error: (more, text) => child().error(more, text),
    child: (more) => child().child(more),
  };
}

/** Counts a request, and says in the log that it was answered, once it has been. */
export function measure(
  edge: Edge,
  { call, res, report }: { call: Call; res: ServerResponse; report?: (answered: Timed) => void },
  route: () => string,
): void {
  const startedNs = edge.options.clock.monotonicNs();
  const { method, log } = call;
  res.once("close", () => {
    const status = res.writableFinished ? res.statusCode : 499;
    const answered = { status, seconds: observe(edge, { method, route: route(), status, startedNs, log }) };
    report?.(answered);
  });
}

export type Timed = { readonly status: number; readonly seconds: number };

/** One request that has been answered; returns how many seconds that took. */
export function observe(
  { options: { clock, metrics } }: Edge,
  { startedNs, log, ...seen }: Answered & { readonly startedNs: bigint; readonly log: Log },
): number {
  const seconds = Number(clock.monotonicNs() - startedNs) / 1e9;
  metrics.observeRequest({ ...seen, seconds });
  if (log.isVerbose) log.debug({ ...seen, ms: Math.round(seconds * 1000) }, "answered");
  return seconds;
}

type Answered = { readonly method: string; readonly route: string; readonly status: number };

/** The call that the first hook opened. */
export function callOf(request: FastifyRequest): Call {
  if (request.remitCall === undefined) throw new Problem("invalid_request");
  return request.remitCall;
}

// Of a header sent twice, this hop and the next might each take another one (V05): we take neither.
function headerOf(request: IncomingMessage, name: string): string | undefined {
  const values = request.headersDistinct[name];
  if (values !== undefined && values.length > 1)
    throw new Problem("invalid_request", { detail: `The header ${name} was sent more than once.` });
  return values?.[0];
}

/** Counts the call against the route's limits and the server's own, and says on the answer what is left. */
export async function countAgainst(
  edge: Edge,
  reply: FastifyReply,
  {
    counted,
    call,
    route,
  }: { readonly counted: readonly Counted[]; readonly call: Call; readonly route: string },
): Promise<void> {
  const left = countAll(edge.counters, counted, call.now);
  reply.headers(
    await left.catch((error: unknown) => {
      if (error instanceof Problem && error.code === "rate_limited")
        edge.options.metrics.observeLimited({ endpoint: route, tenant: call.caller?.tenant });
      throw error;
    }),
  );
}

/** The limits that a request is counted against before anybody knows who calls, so that they refuse before costly work. */
export function countedByAddress(
  edge: Edge,
  {
    route,
    limit,
    open,
    call,
  }: { route: string; limit: Limit | undefined; open: boolean; call: Pick<Call, "ip"> },
): Counted[] {
  const address = countedAddress(call.ip);
  const own =
    limit !== undefined && (open || limit.by === "ip") ? [ofRoute(route, limit, `ip ${address}`)] : [];
  const most = edge.options.limits?.address;
  return most === undefined || isLoopback(call.ip)
    ? own
    : [...own, { name: "address", limit: most, key: address }];
}

/** The limits that count per client or tenant. */
export function countedByCaller(
  edge: Edge,
  { route, limit, caller }: { route: string; limit: Limit | undefined; caller: Caller },
): Counted[] {
  const { client, tenant } = edge.options.limits ?? {};
  const who = limit?.by === "tenant" ? `tenant ${caller.tenant}` : `client ${caller.client}`;
  return [
    ...(limit === undefined || limit.by === "ip" ? [] : [ofRoute(route, limit, who)]),
    ...(client === undefined ? [] : [{ name: "client", limit: client, key: caller.client }]),
    ...(tenant === undefined ? [] : [{ name: "tenant", limit: tenant, key: caller.tenant }]),
  ];
}

const ofRoute = (route: string, limit: Limit, who: string): Counted => ({
  name: "default",
  limit,
  key: `${route} ${who}`,
});

// Services on one machine call each other there, and nobody else can.
const isLoopback = (address: string): boolean => address.startsWith("127.") || address === "::1";

/** The same call, with who makes it. */
export const calledBy = (call: Call, caller: Caller): Call => ({
  ...call,
  caller,
  log: lazyChild(call.log, { client: caller.client, tenant: caller.tenant }),
});
