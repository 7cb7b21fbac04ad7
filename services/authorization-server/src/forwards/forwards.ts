import type { IncomingMessage, ServerResponse } from "node:http";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { minuteMs, secondMs } from "@remit/kernel";
import { type Mount, type PageCall, readBody } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import { Problem } from "@remit/protocol";

/** Paths of the AgentIdP API that another service of ours answers, with its origin: `{"/api/v1/marketplace": "https://…"}`. */
export type Forwards = Readonly<Record<string, string>>;

const timeoutMs = 10 * secondMs;
const bodyBytesMax = 64 * 1024;
// What the other service decides by; everything else ends here.
const upward = [
  "accept",
  "accept-language",
  "authorization",
  "content-type",
  "dpop",
  "idempotency-key",
  "if-none-match",
  "stripe-signature",
];
// What an answer says of itself. Whatever else it could say would hold for all of the issuer's origin, its pages and cookies
// too, for which no other service speaks: cookies, Clear-Site-Data, Strict-Transport-Security, Location.
const downward: ReadonlySet<string> = new Set([
  "allow",
  "cache-control",
  "content-language",
  "content-length",
  "content-type",
  "dpop-nonce",
  "etag",
  "idempotent-replayed",
  "last-modified",
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "vary",
  "www-authenticate",
  "x-ratelimit-limit",
  "x-ratelimit-remaining",
  "x-ratelimit-reset",
]);
const isHandedBack = (name: string): boolean => downward.has(name) || name.startsWith("access-control-");

// A browser runs nothing of it on this origin, whatever it claims to be.
const inert = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
};

/**
 * Hands a request under one of the paths on to the service that answers it, unread, and its answer back: where no ingress
 * stands in front of both. A name that is taken here, or a path that two parsers could read differently, never reaches it.
 */
export const forwardMount = (
  { path, origin }: { readonly path: string; readonly origin: string },
  outbound: Pick<Outbound, "dispatcher">,
): Mount => ({
  prefixes: [path],
  limit: { count: 600, windowMs: minuteMs, by: "ip" },
  handle: async (call) => {
    const { req, res } = call.raw;
    const target = targetOf(req, path);
    const body = await readBody(req, bodyBytesMax);
    const answer = await outbound.dispatcher
      .request({
        origin,
        path: target,
        method: methodOf(req),
        headers: { ...headersOf(req), "x-forwarded-for": call.ip },
        body: body.length === 0 ? null : body,
        headersTimeout: timeoutMs,
        bodyTimeout: timeoutMs,
      })
      .catch((cause: unknown) => {
        throw new Problem("unavailable", { headers: { "Retry-After": "1" }, cause });
      });
    await sendBack(answer, { res, call });
  },
});

/** The path and query as they came, if they are under `path` however they are read. */
function targetOf({ url = "" }: IncomingMessage, path: string): string {
  const parsed = URL.parse(url, "http://forward.invalid");
  const [own = ""] = url.split("?", 1);
  const under = parsed !== null && (parsed.pathname === path || parsed.pathname.startsWith(`${path}/`));
  if (!under || parsed.pathname !== own || /%2e|%2f|%5c|\\|\/\//i.test(own))
    throw new Problem("not_found", { detail: "There is nothing at this address." });
  return url;
}

const methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] as const;

function methodOf({ method }: IncomingMessage): (typeof methods)[number] {
  const found = methods.find((one) => one === method);
  if (found === undefined)
    throw new Problem("method_not_allowed", { headers: { Allow: methods.join(", ") } });
  return found;
}

const headersOf = ({ headers }: IncomingMessage): Record<string, string> =>
  Object.fromEntries(
    upward.flatMap((name) => {
      const value = headers[name];
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );

type Answer = Awaited<ReturnType<Outbound["dispatcher"]["request"]>>;

async function sendBack(
  { statusCode, headers, body }: Answer,
  { res, call }: { readonly res: ServerResponse; readonly call: PageCall },
): Promise<void> {
  const kept = Object.entries(headers).filter(([name]) => isHandedBack(name));
  res.writeHead(statusCode, { "cache-control": "no-store", ...Object.fromEntries(kept), ...inert });
  await pipeline(Readable.from(body), res).catch((error: unknown) => {
    // Whoever asked sees a short body; the answer's head has left already.
    call.log.warn({ error }, "a forwarded answer ended early");
    res.destroy();
  });
}

/** `path=origin` pairs, separated by commas; undefined for a text that is none. */
export function parseForwards(text: string): Forwards | undefined {
  const pairs: [string, string][] = [];
  for (const pair of text.split(",").map((part) => part.trim())) {
    if (pair === "") continue;
    const [path = "", origin = "", ...more] = pair.split("=");
    const at = URL.parse(origin);
    const fits = /^(?:\/[a-z0-9-]+)+$/.test(path) && at !== null && /^https?:$/.test(at.protocol);
    if (!fits || at.origin !== origin || more.length > 0) return undefined;
    pairs.push([path, origin]);
  }
  return Object.fromEntries(pairs);
}
