import type { IncomingMessage, ServerResponse } from "node:http";
import { routeAt, type Shop, type Target } from "../offers/index.ts";

// What a script must read to pay and to prove that it has.
const exposed = [
  "PAYMENT-REQUIRED",
  "PAYMENT-RESPONSE",
  "X-PAYMENT-RESPONSE",
  "WWW-Authenticate",
  "Payment-Receipt",
  "Remit-Receipt",
  "Remit-Credit",
  "Idempotent-Replayed",
  "Retry-After",
  "X-Request-Id",
].join(", ");

const sent = [
  "Accept-Payment",
  "Authorization",
  "Content-Type",
  "DPoP",
  "Idempotency-Key",
  "PAYMENT-SIGNATURE",
  "Payment-Authorization",
  "SIGN-IN-WITH-X",
  "X-PAYMENT",
].join(", ");

const preflightS = 600;

/**
 * Lets scripts of other origins pay (Fetch, "CORS protocol"). Nothing that a browser adds by itself pays here, so that everybody may
 * ask; what the upstream says of this goes before.
 */
export function openToScripts({ headers }: IncomingMessage, res: ServerResponse): void {
  if (headers.origin === undefined) return;
  res.setHeader("Access-Control-Allow-Origin", "*");
  res.setHeader("Access-Control-Expose-Headers", exposed);
}

/** Answers a browser that asks whether a script may pay; false for any other request, which is somebody else's to answer. */
export function answersPreflight(
  { method, headers }: IncomingMessage,
  res: ServerResponse,
  { shop, target }: { readonly shop: Shop; readonly target: Target },
): boolean {
  const announced = headers["access-control-request-method"];
  if (method !== "OPTIONS" || announced === undefined || headers.origin === undefined) return false;
  const route = routeAt(shop, announced === "HEAD" ? "GET" : announced, target.path);
  if (route.gate !== "paid" || route.tool !== undefined) return false;
  res.writeHead(204, {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": route.method,
    "Access-Control-Allow-Headers": sent,
    "Access-Control-Max-Age": String(preflightS),
  });
  res.end();
  return true;
}
