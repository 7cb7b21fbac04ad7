import type { IncomingMessage } from "node:http";
import { secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import { type PaidRoute, type Target, upstreamTarget } from "../offers/index.ts";
import { fieldsOf, hasBody, valuesOf } from "../proxy/index.ts";
import { idempotencyKeyOf, type PaidRequest } from "../purchases/index.ts";

const bodyBytesMax = 1024 * 1024;
// What is paid for is read whole first, and whoever sends it a byte at a time waits in vain.
const bodyMs = 30 * secondMs;

/** A request for something that is sold, read whole, so that its digest is known before anybody is asked for money. */
export async function readRequest(
  req: IncomingMessage,
  route: PaidRoute,
  target: Target,
): Promise<PaidRequest> {
  const fields = fieldsOf(req.rawHeaders);
  const idempotencyKey = idempotencyKeyOf(valuesOf(fields, "idempotency-key"));
  const body = await readBody(req);
  const path = target.path + target.query;
  return {
    route,
    method: route.method,
    url: route.merchant.origin + path,
    target: upstreamTarget(route, target),
    fields,
    body,
    ...(body !== undefined && { bodySha256: sha256(body) }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  };
}

/** Undefined when the request has no body. */
async function readBody(req: IncomingMessage): Promise<Uint8Array | undefined> {
  if (!hasBody(req)) return undefined;
  if (Number(req.headers["content-length"] ?? 0) > bodyBytesMax) throw tooLarge();
  const deadline = AbortSignal.timeout(bodyMs);
  const late = new Promise<never>((_, reject) => {
    const refuse = (): void => reject(new Problem("request_timeout", { headers: { Connection: "close" } }));
    deadline.addEventListener("abort", refuse, { once: true });
  });
  return await Promise.race([collect(req), late]);
}

async function collect(req: IncomingMessage): Promise<Uint8Array | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of req) {
      // Without an encoding set, a request's stream gives buffers.
      const bytes = chunk as Buffer;
      size += bytes.length;
      if (size > bodyBytesMax) throw tooLarge();
      chunks.push(bytes);
    }
  } catch (cause) {
    // A buyer that hangs up in mid-body is no fault of ours.
    throw cause instanceof Problem
      ? cause
      : new Problem("invalid_request", { detail: "The body ended early.", cause });
  }
  return size === 0 ? undefined : Buffer.concat(chunks);
}

const tooLarge = (): Problem => new Problem("payload_too_large", { headers: { Connection: "close" } });
