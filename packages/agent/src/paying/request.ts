import { base64url, Problem } from "@remit/protocol";
import { sha256 } from "@remit/protocol/web";

/** A request that can be sent twice with the same bytes: once to learn the price, once to pay it. */
export type Repeatable = {
  readonly url: string;
  readonly method: string;
  readonly init: RequestInit;
  /** The body as an offer names it: base64url(SHA-256); absent when there is none. */
  readonly bodyDigest?: string;
};

const bodyBytesMax = 16 * 1024 * 1024;

/** Reads the body once, whatever kind it is; a stream could not be sent again. */
export async function repeatable(url: string, init: RequestInit): Promise<Repeatable> {
  const method = (init.method ?? "GET").toUpperCase();
  if (init.body === undefined || init.body === null) return { url, method, init: { ...init, method } };
  const packed = new Response(init.body);
  const body = new Uint8Array(await packed.arrayBuffer());
  if (body.length > bodyBytesMax) throw new Problem("payload_too_large");
  const headers = new Headers(init.headers);
  const type = packed.headers.get("content-type");
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return {
    url,
    method,
    init: { ...init, method, headers, body },
    ...(body.length > 0 && { bodyDigest: base64url.encode(sha256(body)) }),
  };
}

/** The same request with one header more. */
export function withHeader({ init }: Repeatable, name: string, value: string): RequestInit {
  const headers = new Headers(init.headers);
  headers.set(name, value);
  return { ...init, headers };
}
