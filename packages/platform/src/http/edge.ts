import { newId } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { HttpOptions } from "./options.ts";
import type { RateLimiter } from "./rate-limit.ts";
import type { Call, Caller, Limit } from "./route.ts";
import type { SecurityHeaders } from "./security-headers.ts";

/** What all requests of one server share. */
export type Edge = {
  readonly options: HttpOptions;
  readonly limiter: RateLimiter;
  readonly headers: SecurityHeaders;
  readonly bodyBytesMax: number;
};

declare module "fastify" {
  interface FastifyRequest {
    /** Set before anything else runs; absent only when the request could not even be routed. */
    remitCall: Call | undefined;
  }
}

/** The call of a request before anybody is authenticated. One per request, made by the first hook. */
export function openCall(edge: Edge, request: FastifyRequest): Call {
  const { clock, origin, log } = edge.options;
  const requestId = newId("request");
  return {
    requestId,
    now: clock.now(),
    ip: request.ip,
    method: request.method,
    url: origin + (request.raw.url ?? "/"),
    log: log.child({ request_id: requestId }),
    header: (name) => headerOf(request, name),
  };
}

/** The call that the first hook opened. */
export function callOf(request: FastifyRequest): Call {
  if (request.remitCall === undefined) throw new Problem("invalid_request");
  return request.remitCall;
}

// Of a header sent twice, this hop and the next might each take another one (V05): we take neither.
function headerOf(request: FastifyRequest, name: string): string | undefined {
  const values = request.raw.headersDistinct[name];
  if (values !== undefined && values.length > 1)
    throw new Problem("invalid_request", { detail: `The header ${name} was sent more than once.` });
  return values?.[0];
}

/** Counts the call against the route's limit and says on the answer what is left. */
export function countAgainst(
  edge: Edge,
  reply: FastifyReply,
  counted: { readonly route: string; readonly limit: Limit | undefined; readonly call: Call },
): void {
  const { route, limit, call } = counted;
  if (limit === undefined) return;
  const { headers } = edge.limiter.count(`${route} ${countedAs(limit, call)}`, limit, call.now);
  reply.headers(headers);
}

function countedAs(limit: Limit, { caller, ip }: Call): string {
  if (caller === undefined || limit.by === "ip") return `ip ${ip}`;
  return limit.by === "tenant" ? `tenant ${caller.tenant}` : `client ${caller.client}`;
}

/** True when the limit needs no caller, so that it can refuse before the costly checks. */
export const countsBeforeCaller = (limit: Limit | undefined, hasCaller: boolean): boolean =>
  limit?.by === "ip" || !hasCaller;

/** The same call, with who makes it. */
export const calledBy = (call: Call, caller: Caller): Call => ({
  ...call,
  caller,
  log: call.log.child({ client: caller.client, tenant: caller.tenant }),
});
