import type { ServerResponse } from "node:http";
import type { Mount, PageCall } from "@remit/platform/http";
import { Problem } from "@remit/protocol";
import {
  isGuarded,
  routeAt,
  type SaleRoute,
  type Shop,
  shopAt,
  type Target,
  targetOf,
} from "../offers/index.ts";
import { type OpenRouteDeps, openGate } from "./open-routes.ts";
import type { StorefrontDeps } from "./storefront.http.ts";

/** Where a proxy that is not ours asks whether it may pass a request on. */
export const forwardAuthPath = "/verify";

type Asked = { readonly shop: Shop; readonly target: Target; readonly method: string };

/**
 * ForwardAuth for Traefik, `auth_request` for nginx: judges the request that `X-Forwarded-*` describes and never settles,
 * since it does not see what the upstream answers. 200 with identity headers lets it pass, 401 says how to sign in, 402 that it
 * is paid, 403 that it is refused. With `?for=nginx`, which knows 401 and 403 alone, 402 becomes 401. Everything that is
 * unclear is 403. At the hosts of merchants the address is theirs.
 */
export const forwardAuth = (
  origin: string,
  deps: Pick<StorefrontDeps, "book"> & OpenRouteDeps,
  storefront: Mount,
): Mount => ({
  paths: [forwardAuthPath],
  handle: async (call) => {
    const { req, res } = call.raw;
    if (req.headers.host?.toLowerCase() !== new URL(origin).host) return await storefront.handle(call);
    try {
      pass(res, await judge(deps, call));
    } catch (error) {
      throw error instanceof Problem ? refusalOf(error, call) : error;
    }
  },
});

/** The identity headers of a request that may pass. */
async function judge(
  deps: Pick<StorefrontDeps, "book"> & OpenRouteDeps,
  call: PageCall,
): Promise<readonly string[]> {
  const asked = askedOf(deps, call);
  const route = routeOf(asked);
  if (route === undefined) return [];
  // Which tool is called, only its body says; that is not seen here.
  if (route.gate === "paid" || route.tool !== undefined) throw paidOnly(call, route);
  const { identity } = await openGate(
    deps.callers,
    { ...call, method: asked.method },
    { route, target: asked.target },
  );
  return identity;
}

function askedOf({ book }: Pick<StorefrontDeps, "book">, call: PageCall): Asked {
  const uri = call.header("x-forwarded-uri");
  if (uri === undefined) throw new Problem("forbidden", { detail: "X-Forwarded-Uri is missing." });
  const host = call.header("x-forwarded-host");
  const method = call.header("x-forwarded-method") ?? "GET";
  return { shop: shopAt(book.current(), host), target: targetOf(uri), method };
}

/** Undefined for what nobody has set a gate before; what may be read as something guarded is refused (V12). */
function routeOf({ shop, target, method }: Asked): SaleRoute | undefined {
  try {
    return routeAt(shop, method === "HEAD" ? "GET" : method, target.path);
  } catch (error) {
    if (!(error instanceof Problem) || isGuarded(shop, target.path)) throw error;
    return undefined;
  }
}

const credentialHeaders = ["payment-signature", "x-payment", "payment-authorization"];

/** To take money here would be to take it blindly: what the upstream then delivers, nobody of us sees. */
function paidOnly(call: PageCall, route: SaleRoute): Problem {
  const { headers } = call.raw.req;
  const pays =
    credentialHeaders.some((name) => headers[name] !== undefined) ||
    /^payment\b/i.test(headers.authorization ?? "");
  if (!pays)
    return new Problem("payment_required", {
      detail: "It is sold through the gateway; a check in front of it settles nothing.",
    });
  return new Problem("payment_not_taken_here", { private: { route: route.id } });
}

function pass(res: ServerResponse, identity: readonly string[]): void {
  res.writeHead(200, ["Cache-Control", "no-store", "Content-Length", "0", ...identity]);
  res.end();
}

// The statuses that a proxy in front understands. What it cannot place it would take for a fault of its own.
function refusalOf(problem: Problem, { raw }: PageCall): Problem {
  const isNginx = raw.req.url === `${forwardAuthPath}?for=nginx`;
  const { code, detail, headers, extra, private: hidden } = problem;
  const status = statusOf(problem.status, isNginx);
  return new Problem(code, {
    status,
    cause: problem,
    ...(detail !== undefined && { detail }),
    ...(headers !== undefined && { headers }),
    ...(extra !== undefined && { extra }),
    ...(hidden !== undefined && { private: hidden }),
  });
}

function statusOf(status: number, isNginx: boolean): number {
  if (status === 402) return isNginx ? 401 : 402;
  return status === 401 || status >= 500 ? status : 403;
}
