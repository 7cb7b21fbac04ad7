import type { IncomingMessage } from "node:http";
import { Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { routeAt, type Shop, type Target } from "../offers/index.ts";
import { fieldsOf, valuesOf } from "../proxy/index.ts";
import type { PaidRequest } from "../purchases/index.ts";

const bodyBytesMax = 1024 * 1024;

/** A request for something that is sold, read whole, so that its digest is known before anybody is asked for money. */
export async function readRequest(req: IncomingMessage, shop: Shop, target: Target): Promise<PaidRequest> {
  const method = req.method ?? "GET";
  const route = routeAt(shop, method, target.path);
  // Only what is paid has a till: without a gate of its own a route is closed, never free by omission.
  if (route.gate !== "paid") throw new Problem("route_not_offered");
  const fields = fieldsOf(req.rawHeaders);
  const idempotencyKey = readIdempotencyKey(valuesOf(fields, "idempotency-key"));
  const body = await readBody(req);
  const path = target.path + target.query;
  return {
    route,
    method,
    url: route.merchant.origin + path,
    target: path,
    fields,
    body,
    ...(body !== undefined && { bodySha256: sha256(body) }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}

/** V11: optional here, since the credential is a key already; but what is sent must be one key. */
function readIdempotencyKey(values: readonly string[]): string | undefined {
  const [value, ...more] = values;
  if (value === undefined) return undefined;
  if (more.length > 0 || !/^[\x21-\x7e]{1,255}$/.test(value)) throw new Problem("idempotency_key_invalid");
  return value;
}

/** Undefined when the request has no body. */
async function readBody(req: IncomingMessage): Promise<Uint8Array | undefined> {
  if (req.headers["content-length"] === undefined && req.headers["transfer-encoding"] === undefined)
    return undefined;
  const tooLarge = new Problem("payload_too_large", { headers: { Connection: "close" } });
  if (Number(req.headers["content-length"] ?? 0) > bodyBytesMax) throw tooLarge;
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req) {
      // Without an encoding set, a request's stream gives buffers.
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > bodyBytesMax) throw tooLarge;
      chunks.push(bytes);
    }
  } catch (cause) {
    // A buyer that hangs up in mid-body is no fault of ours.
    throw cause === tooLarge
      ? cause
      : new Problem("invalid_request", { detail: "The body ended early.", cause });
  }
  return size === 0 ? undefined : Buffer.concat(chunks);
}
