import type { PageCall } from "@remit/platform/http";
import type { OpenRoute, Target } from "../offers/index.ts";
import type { Upstreams, Withheld } from "../proxy/index.ts";

/** What a gate has found out about who calls: what the upstream is told of it, and what it does not get. */
export type Admitted = {
  /** Flat list of header names and values. */
  readonly identity: readonly string[];
  readonly withheld: Withheld;
};

/** Whoever it is. */
export const anybody: Admitted = { identity: [], withheld: new Set() };

/** Passes a request through that costs nothing, and its answer as it comes. */
export async function passOn(
  upstreams: Upstreams,
  call: PageCall,
  {
    route,
    target,
    admitted,
  }: { readonly route: OpenRoute; readonly target: Target; readonly admitted: Admitted },
): Promise<void> {
  await upstreams.pass(
    {
      origin: route.upstream,
      method: call.method,
      target: target.path + target.query,
      added: [...forwardedOf(route), "X-Forwarded-For", call.ip, ...admitted.identity],
      withheld: admitted.withheld,
      timeoutMs: route.timeoutMs,
      retries: route.retries,
    },
    call.raw,
  );
}

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
