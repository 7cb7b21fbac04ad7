import { type Json, Problem, parseJson, type Scope } from "@remit/protocol";
import { makeDpopProof, thumbprint } from "@remit/protocol/node";
import type { OutboundAnswer, OutboundRequest } from "../outbound/index.ts";
import type { PeerOptions } from "./options.ts";
import { createTokens, type Tokens } from "./tokens.ts";

export type PeerRequest = {
  /** Origin of the service, which is also the audience of the token. */
  readonly origin: string;
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query. */
  readonly path: string;
  readonly scope: Scope;
  readonly body?: unknown;
  /** A form in place of a JSON body. */
  readonly form?: Readonly<Record<string, string>>;
  readonly idempotencyKey?: string;
  readonly timeoutMs?: number;
};

/** Any HTTP answer, also a refusal: `body` is the parsed JSON (a problem for status >= 400), undefined when it is none. */
export type PeerAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json | undefined;
};

/**
 * Calls services as a first-party client: private_key_jwt, a token per (origin, scope), a DPoP proof per request. No
 * whole answer is Problem `outbound_failed`, and the outcome is unknown; no token is `unavailable`, and nothing was sent.
 */
export type Peer = { call(request: PeerRequest): Promise<PeerAnswer> };

// A fresh nonce, then a fresh token: each is asked for at most once, and a 401 has had no effect.
const attemptsMax = 3;

export function createPeer(options: PeerOptions): Peer {
  const nonces = new Map<string, string>();
  const tokens = createTokens({ ...options, thumbprint: thumbprint(options.dpopKey) });
  return {
    async call(request) {
      for (let attempt = 1; ; attempt++) {
        const token = await tokens.get(request.origin, request.scope);
        const answer = await options.outbound.request(
          signed(options, request, { token, nonce: nonces.get(request.origin) }),
        );
        const nonce = answer.headers["dpop-nonce"];
        if (nonce !== undefined) nonces.set(request.origin, nonce);
        const again = answer.status === 401 && attempt < attemptsMax && mayHelp(answer, tokens, request);
        if (!again) return { status: answer.status, headers: answer.headers, body: jsonOf(answer) };
      }
    },
  };
}

/** Whether the same request could succeed with what the refusal taught us. */
function mayHelp({ headers }: OutboundAnswer, tokens: Tokens, { origin, scope }: PeerRequest): boolean {
  const challenge = headers["www-authenticate"] ?? "";
  if (challenge.includes('error="use_dpop_nonce"')) return headers["dpop-nonce"] !== undefined;
  // An issuer that changed its keys, or forgot ours, answers with a new token.
  if (!challenge.includes('error="invalid_token"')) return false;
  tokens.forget(origin, scope);
  return true;
}

function signed(
  { dpopKey, clock }: PeerOptions,
  request: PeerRequest,
  { token, nonce }: { token: string; nonce: string | undefined },
): OutboundRequest {
  const { method, origin, path, idempotencyKey, timeoutMs } = request;
  const sent = bodyOf(request);
  if (!path.startsWith("/"))
    throw new Problem("invalid_request", { detail: "A peer's path starts with a slash." });
  const url = origin + path;
  const proof = { key: dpopKey, method, url, now: clock.now(), accessToken: token };
  return {
    method,
    url,
    headers: {
      accept: "application/json",
      authorization: `DPoP ${token}`,
      dpop: makeDpopProof(nonce === undefined ? proof : { ...proof, nonce }),
      ...(sent === undefined ? {} : { "content-type": sent.type }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
    },
    ...(sent === undefined ? {} : { body: sent.text }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function bodyOf({ body, form }: PeerRequest): { type: string; text: string } | undefined {
  if (form !== undefined)
    return { type: "application/x-www-form-urlencoded", text: new URLSearchParams(form).toString() };
  return body === undefined ? undefined : { type: "application/json", text: JSON.stringify(body) };
}

function jsonOf({ headers, body }: OutboundAnswer): Json | undefined {
  const type = headers["content-type"] ?? "";
  if (body.length === 0 || !/^application\/([a-z0-9.-]+\+)?json\b/.test(type)) return undefined;
  return parseJson(body, { refuse: "outbound_failed" });
}
