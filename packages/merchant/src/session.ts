import { type Clock, type Moment, momentOf, msSince, secondMs } from "@remit/kernel";
import { clientAssertionType, type JsonObject, type PrivateJwk, Problem } from "@remit/protocol";
import { makeClientAssertion, makeDpopProof } from "@remit/protocol/web";
import { answerOf, bytesOf, type Fetch, send } from "./wire.ts";

export type SessionOptions = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  readonly clientId: string;
  /** Two keys: one authenticates the client, tokens are bound to the other. */
  readonly keys: { readonly assertion: PrivateJwk; readonly dpop: PrivateJwk } | SecretKeys;
  readonly fetch: Fetch;
  readonly clock: Clock;
  /** Origin of the service that is called; the authorization server itself unless told. */
  readonly at?: string;
  /** What its tokens are for; charges unless told. */
  readonly scope?: "charges:write" | "billing:read";
};

/** Of a client that authenticates by a secret, as a management client of an organization does. */
export type SecretKeys = { readonly secret: string; readonly dpop: PrivateJwk };

export type Call = {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly body?: JsonObject;
  readonly idempotencyKey?: string;
  /** Of the answer. */
  readonly bytesMax?: number;
  readonly timeoutMs?: number;
};

/** The merchant towards its authorization server, or another service that takes its tokens. */
export type Session = {
  call(call: Call): Promise<JsonObject>;
  /** An answer that is no JSON, of the given type and no other. */
  file(call: Call & { readonly type: string }): Promise<Uint8Array>;
};

type Token = { readonly text: string; readonly since: Moment; readonly lifeMs: number };

const renewBeforeMs = 20 * secondMs;

/** Calls with a DPoP-bound token of the merchant's own, made anew shortly before it expires. */
export function createSession(options: SessionOptions): Session {
  const proofs = createProofs(options);
  let token: Promise<Token> | undefined;

  const current = async (): Promise<Token> => {
    const known = await token?.catch(() => undefined);
    // By a clock that nobody sets back: else a token would be used for as long as that, past its end (K08).
    if (known !== undefined && msSince(known.since, options.clock) < known.lifeMs - renewBeforeMs)
      return known;
    token = requestToken(options, proofs);
    return token;
  };

  const answered = async (
    { method, path, body, idempotencyKey, timeoutMs }: Call,
    accept: string,
  ): Promise<Response> => {
    const url = `${options.at ?? options.issuer}${path}`;
    const { text } = await current();
    const response = await proofs.send({ method, url, accessToken: text }, (proof) => ({
      method,
      headers: {
        accept,
        authorization: `DPoP ${text}`,
        dpop: proof,
        ...(body !== undefined && { "content-type": "application/json" }),
        ...(idempotencyKey !== undefined && { "idempotency-key": idempotencyKey }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(timeoutMs !== undefined && { signal: AbortSignal.timeout(timeoutMs) }),
    }));
    // A token that was revoked in the meantime is not worth keeping.
    if (response.status === 401) token = undefined;
    return response;
  };

  return {
    call: async (call) => answerOf(await answered(call, "application/json"), call.bytesMax),
    file: async ({ type, ...call }) => {
      const response = await answered(call, `${type}, application/problem+json`);
      const is = (response.headers.get("content-type") ?? "").split(";")[0]?.trim();
      if (response.ok && is === type) return bytesOf(response, call.bytesMax);
      await answerOf(response);
      throw new Problem("unavailable", { detail: `The answer is no ${type}.` });
    },
  };
}

async function requestToken(options: SessionOptions, proofs: Proofs): Promise<Token> {
  const { issuer, clock, at = issuer, scope = "charges:write" } = options;
  const url = `${issuer}/oauth/token`;
  const response = await proofs.send({ method: "POST", url }, async (proof) => ({
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded", dpop: proof },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      scope,
      resource: at,
      ...(await authentication(options)),
    }),
  }));
  const { access_token: text, expires_in: seconds, token_type: type } = await answerOf(response);
  // RFC 9449 §5: a token of another type would not be bound to our key.
  if (
    typeof text !== "string" ||
    typeof seconds !== "number" ||
    typeof type !== "string" ||
    type.toLowerCase() !== "dpop"
  )
    throw new Problem("unavailable", { detail: "The token endpoint gave no DPoP-bound token." });
  return { text, since: momentOf(clock), lifeMs: Math.floor(seconds) * secondMs };
}

async function authentication({
  issuer,
  clientId,
  keys,
  clock,
}: SessionOptions): Promise<Record<string, string>> {
  if ("secret" in keys) return { client_id: clientId, client_secret: keys.secret };
  return {
    client_id: clientId,
    client_assertion_type: clientAssertionType,
    client_assertion: await makeClientAssertion({
      clientId,
      audience: issuer,
      now: clock.now(),
      key: keys.assertion,
    }),
  };
}

type ProofFor = { readonly method: string; readonly url: string; readonly accessToken?: string };
type Proofs = {
  send(request: ProofFor, init: (proof: string) => RequestInit | Promise<RequestInit>): Promise<Response>;
};

/** Sends with a fresh proof; once more when the server asks for its nonce in it (RFC 9449 §8 and §9). */
function createProofs({ keys, clock, fetch: fetchAny }: SessionOptions): Proofs {
  let nonce: string | undefined;
  return {
    async send(request, init) {
      for (let attempt = 0; ; attempt++) {
        const sent = nonce;
        const proof = await makeDpopProof({
          key: keys.dpop,
          now: clock.now(),
          ...request,
          ...(sent !== undefined && { nonce: sent }),
        });
        const response = await send(fetchAny, request.url, await init(proof));
        nonce = response.headers.get("dpop-nonce") ?? nonce;
        if (attempt > 0 || nonce === sent || !(await asksForNonce(response))) return response;
      }
    },
  };
}

async function asksForNonce(response: Response): Promise<boolean> {
  if (response.status !== 400 && response.status !== 401) return false;
  const challenge = response.headers.get("www-authenticate") ?? "";
  return challenge.includes("use_dpop_nonce") || (await response.clone().text()).includes("use_dpop_nonce");
}
