import { type Clock, secondMs } from "@remit/kernel";
import type { Outbound, OutboundAnswer } from "@remit/platform/outbound";
import type { PeerKeys } from "@remit/platform/peers";
import {
  clientAssertionType,
  isJsonObject,
  type Json,
  type JsonObject,
  Problem,
  parseJson,
} from "@remit/protocol";
import { makeClientAssertion, makeDpopProof, thumbprint } from "@remit/protocol/node";

/** The portal's id at the authorization server. */
export const clientId = "wallet";

/** An answer of the issuer's: also a refusal, whose `error` it carries (RFC 6749 §5.2). */
export type IssuerAnswer = { readonly status: number; readonly body: JsonObject };

export type Form = Readonly<Record<string, string>>;
type Again = readonly (readonly [name: string, value: string])[];

/** A call of an API in a person's name. */
export type PersonRequest = {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Origin, path and query. */
  readonly url: string;
  /** Absent where anybody may call. */
  readonly token?: string;
  readonly body?: unknown;
  readonly idempotencyKey?: string;
  /** The version that a change is of (RFC 9110 §13.1.1). */
  readonly ifMatch?: string;
  /** What is known of it: 304 as long as it is so (RFC 9110 §13.1.2). */
  readonly ifNoneMatch?: string;
  /** How long the answer may take where it waits for something to happen. */
  readonly timeoutMs?: number;
  /** How long the answer may be; a mebibyte unless told. */
  readonly bodyBytesMax?: number;
};

export type PersonAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json | undefined;
  readonly bytes: Uint8Array;
};

/** The authorization server and the APIs behind it, as this client speaks to them: its key proves it, DPoP binds its tokens. */
export type Issuer = {
  readonly origin: string;
  /** RFC 7638, of the key that tokens are bound to (RFC 9449 §10: `dpop_jkt`). */
  readonly thumbprint: string;
  /** A form to one of its OAuth endpoints, as this client (RFC 7523 §2.2), with a DPoP proof (RFC 9449 §5). */
  /** `again`: parameters that may stand more than once, such as `resource` (RFC 8707 §2). */
  post(path: string, form: Form, again?: Again): Promise<IssuerAnswer>;
  call(request: PersonRequest): Promise<PersonAnswer>;
};

type Deps = {
  readonly issuer: string;
  readonly keys: PeerKeys;
  readonly outbound: Outbound;
  readonly clock: Clock;
};

const callTimeoutMs = 10 * secondMs;

export function createIssuer(deps: Deps): Issuer {
  const { issuer, keys } = deps;
  // What a server wants in the next proof, by its origin (RFC 9449 §8.2).
  const nonces = new Map<string, string>();
  const send = async (make: (nonce: string | undefined) => Sending): Promise<OutboundAnswer> => {
    for (let attempt = 1; ; attempt++) {
      const { origin, ...request } = make(nonces.get(make(undefined).origin));
      const answer = await deps.outbound.request({ timeoutMs: callTimeoutMs, ...request });
      const nonce = answer.headers["dpop-nonce"];
      if (nonce !== undefined) nonces.set(origin, nonce);
      if (attempt > 1 || nonce === undefined || !wantsNonce(answer)) return answer;
    }
  };
  return {
    origin: issuer,
    thumbprint: thumbprint(keys.dpop),
    async post(path, form, again = []) {
      const answer = await send((nonce) => formRequest(deps, { url: issuer + path, form, again, nonce }));
      const body = jsonOf(answer);
      if (!isJsonObject(body))
        throw new Problem("unavailable", { private: { because: "the issuer answers no JSON", path } });
      return { status: answer.status, body };
    },
    async call(request) {
      const answer = await send((nonce) => callRequest(deps, request, nonce));
      return { status: answer.status, headers: answer.headers, body: jsonOf(answer), bytes: answer.body };
    },
  };
}

type Sending = {
  readonly origin: string;
  readonly method: PersonRequest["method"];
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly timeoutMs?: number;
  readonly bodyBytesMax?: number;
};

function formRequest(
  { issuer, keys, clock }: Deps,
  { url, form, again, nonce }: { url: string; form: Form; again: Again; nonce: string | undefined },
): Sending {
  const now = clock.now();
  const proof = { key: keys.dpop, method: "POST", url, now };
  const body = new URLSearchParams({
    ...form,
    client_id: clientId,
    client_assertion_type: clientAssertionType,
    client_assertion: makeClientAssertion({ clientId, audience: issuer, now, key: keys.assertion }),
  });
  for (const [name, value] of again) body.append(name, value);
  return {
    origin: issuer,
    method: "POST",
    url,
    headers: {
      accept: "application/json",
      "content-type": "application/x-www-form-urlencoded",
      dpop: makeDpopProof(nonce === undefined ? proof : { ...proof, nonce }),
    },
    body: body.toString(),
  };
}

function callRequest(
  { keys, clock }: Deps,
  { method, url, token, body, idempotencyKey, ifMatch, ifNoneMatch, timeoutMs, bodyBytesMax }: PersonRequest,
  nonce: string | undefined,
): Sending {
  const { origin, pathname } = new URL(url);
  // RFC 9449 §4.2: `htu` is without query.
  const proof = { key: keys.dpop, method, url: origin + pathname, now: clock.now() };
  const more = nonce === undefined ? {} : { nonce };
  return {
    origin,
    method,
    url,
    headers: {
      accept: "application/json",
      ...(token === undefined
        ? {}
        : { authorization: `DPoP ${token}`, dpop: makeDpopProof({ ...proof, ...more, accessToken: token }) }),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...(idempotencyKey === undefined ? {} : { "idempotency-key": idempotencyKey }),
      ...(ifMatch === undefined ? {} : { "if-match": ifMatch }),
      ...(ifNoneMatch === undefined ? {} : { "if-none-match": ifNoneMatch }),
    },
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(bodyBytesMax === undefined ? {} : { bodyBytesMax }),
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  };
}

/** RFC 9449 §8 at the issuer's own endpoints, §9 at APIs. */
function wantsNonce({ status, headers, body }: OutboundAnswer): boolean {
  if (status === 401) return (headers["www-authenticate"] ?? "").includes("use_dpop_nonce");
  return status === 400 && new TextDecoder().decode(body).includes("use_dpop_nonce");
}

function jsonOf({ headers, body }: OutboundAnswer): Json | undefined {
  if (body.length === 0 || !/^application\/([a-z0-9.-]+\+)?json\b/.test(headers["content-type"] ?? ""))
    return undefined;
  return parseJson(body, { refuse: "outbound_failed" });
}
