import type { Instant } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import { verifyDpopProof } from "@remit/protocol/node";
import { type Fields, valuesOf } from "../proxy/index.ts";

/**
 * Thumbprint of the key that the request proves to hold (RFC 9449), for the answer to be bound to; undefined when it proves
 * none. A proof that does not hold here may be meant for the upstream, and says nothing.
 */
export function holderOf(
  fields: Fields,
  request: { readonly method: string; readonly url: string; readonly now: Instant },
): string | undefined {
  const [proof, ...more] = valuesOf(fields, "dpop");
  if (proof === undefined || more.length > 0) return undefined;
  const token = /^dpop +(\S+)$/i.exec(valuesOf(fields, "authorization")[0] ?? "")?.[1];
  try {
    const url = request.url.split("?", 1)[0] ?? request.url;
    const proven = verifyDpopProof({
      proof,
      method: request.method,
      url,
      now: request.now,
      ...(token !== undefined && { accessToken: token }),
    });
    return proven.thumbprint;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}
