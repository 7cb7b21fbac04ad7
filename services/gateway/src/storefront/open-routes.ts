import type { Call, PageCall, UpgradeCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  type Admitted,
  anybody,
  type Callers,
  type Session,
  sessionPath,
  type Visit,
} from "../callers/index.ts";
import {
  type Merchant,
  type OpenRoute,
  type SaleRoute,
  type Shop,
  type Target,
  upstreamTarget,
} from "../offers/index.ts";
import type { PassedRequest, Upstreams } from "../proxy/index.ts";

export type OpenRouteDeps = { readonly upstreams: Upstreams; readonly callers: Callers };

type Asked<R> = { readonly route: R; readonly target: Target };

/** Passes a request through that costs nothing, and its answer as it comes. */
export async function passOn(
  deps: OpenRouteDeps,
  call: PageCall,
  asked: Asked<OpenRoute> & { readonly change?: (request: PassedRequest) => PassedRequest },
): Promise<void> {
  const { change = (request) => request } = asked;
  const admitted = await openGate(deps.callers, call, asked);
  deps.upstreams.check(asked.route.upstream, asked.route.health?.path);
  // Whoever only announces a request has not said who it is: it learns what a browser must know, and nothing guarded.
  const headOnly = call.method === "OPTIONS" && asked.route.gate === "auth";
  await deps.upstreams.pass(change({ ...passedRequest(call, asked, admitted), headOnly }), call.raw);
}

/** Opens a WebSocket through to the upstream. On a paid route there is no whole answer that could be paid for. */
export async function openTunnel(
  deps: OpenRouteDeps,
  call: UpgradeCall,
  { route, target }: Asked<SaleRoute>,
): Promise<void> {
  if (route.gate === "paid")
    throw new Problem("upgrade_not_offered", { detail: "What is sold here is a whole answer." });
  const admitted = await openGate(deps.callers, call, { route, target });
  await deps.upstreams.tunnel(passedRequest(call, { route, target }, admitted), call.raw);
}

/** Asks who calls where the gate wants to know. */
export function openGate(
  callers: Callers,
  call: Call,
  { route, target }: Asked<OpenRoute>,
): Promise<Admitted> | Admitted {
  // A preflight carries no credentials and asks for no resource.
  if (route.gate === "free" || call.method === "OPTIONS") return anybody;
  return callers.admit(visitOf(call, route.merchant, target));
}

const visitOf = (call: Call, merchant: Merchant, { path }: Target): Visit => ({
  merchant,
  method: call.method,
  url: merchant.origin + path,
  now: call.now,
  header: (name) => call.header(name),
});

const passedRequest = (
  call: Call,
  { route, target }: Asked<OpenRoute>,
  admitted: Admitted,
): PassedRequest => ({
  origin: route.upstream,
  method: call.method,
  target: upstreamTarget(route, target),
  added: [...forwardedOf(route), "X-Forwarded-For", call.ip, ...admitted.identity],
  withheld: admitted.withheld,
  timeoutMs: route.timeoutMs,
  retries: route.retries,
});

const known = new WeakMap<OpenRoute, readonly string[]>();

/** What is the same for every request of a route. */
function forwardedOf(route: OpenRoute): readonly string[] {
  const made = known.get(route);
  if (made !== undefined) return made;
  const { host, protocol } = new URL(route.merchant.origin);
  const headers = ["X-Forwarded-Host", host, "X-Forwarded-Proto", protocol.slice(0, -1), "Via", "1.1 remit"];
  known.set(route, headers);
  return headers;
}

/** True for the address where texts are exchanged for sessions, unless the merchant has a route of its own there. */
export const isSignIn = ({ routes }: Shop, { method }: Call, { path }: Target): boolean =>
  path === sessionPath &&
  method === "POST" &&
  routes.some(({ gate }) => gate === "auth") &&
  !routes.some(({ pattern }) => `/${pattern.join("/")}` === sessionPath);

/** A session for a signed text: `{message, signature}`. */
export async function signIn(
  callers: Callers,
  call: Call,
  {
    merchant,
    target,
    body,
  }: { readonly merchant: Merchant; readonly target: Target; readonly body: unknown },
): Promise<Session> {
  const { message, signature } = Object(body) as { message?: unknown; signature?: unknown }; // members that may be missing
  if (typeof message !== "string" || typeof signature !== "string")
    throw new Problem("invalid_request", { detail: "Send {message, signature}." });
  return await callers.signIn(visitOf(call, merchant, target), message, signature);
}
