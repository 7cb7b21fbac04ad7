import { secondMs } from "@remit/kernel";
import { type AccessTokenClaims, isJsonObject, Problem } from "@remit/protocol";
import type { Peer, PeerAnswer } from "./peers.ts";

/** The client that mints its own tokens, 300 s each: it *is* the database that would be asked. */
const issuerClient = "authorization-server";

const timeoutMs = 3 * secondMs;

/**
 * Whether a token that verified was revoked since, by the issuer's database: asked for every call, kept for none, so that
 * a revocation counts here as soon as there (docs/decisions/0009). Without an answer the call is refused, and may be
 * tried again. The issuer's own tokens are not asked about: what it decides and has carried out here waits for no second
 * opinion of itself.
 */
export function askIssuer({
  peer,
  issuer,
}: {
  readonly peer: Peer;
  readonly issuer: string;
}): (claims: AccessTokenClaims, token: string) => Promise<boolean> {
  return async (claims, token) => {
    if (claims.client_id === issuerClient) return false;
    const { status, body } = await introspect(peer, issuer, token);
    const active = status === 200 && isJsonObject(body) ? body["active"] : undefined;
    if (typeof active !== "boolean") throw unavailable({ answered: status });
    return !active;
  };
}

async function introspect(peer: Peer, issuer: string, token: string): Promise<PeerAnswer> {
  try {
    return await peer.call({
      origin: issuer,
      method: "POST",
      path: "/oauth/introspect",
      scope: "tokens:read",
      form: { token },
      timeoutMs,
    });
  } catch (cause) {
    throw cause instanceof Problem ? unavailable({ because: cause.code, ...cause.private }, cause) : cause;
  }
}

const unavailable = (why: Readonly<Record<string, unknown>>, cause?: unknown): Problem =>
  new Problem("unavailable", {
    detail: "It cannot be asked whether the token still counts.",
    private: { introspection: why },
    headers: { "Retry-After": "1" },
    cause,
  });
