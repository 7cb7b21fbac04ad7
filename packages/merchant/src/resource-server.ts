import { type Clock, type Instant, systemClock } from "@remit/kernel";
import {
  type AccessTokenClaims,
  type CallNeeds,
  challenged,
  clientAssertionType,
  createDpopNonces,
  createKeySources,
  keyDocumentBytesMax,
  keyIdOf,
  type PrivateJwk,
  Problem,
  readAuthorization,
  toProblemJson,
} from "@remit/protocol";
import { hmacSha256, makeClientAssertion, randomText, verifyCall } from "@remit/protocol/web";
import { createReplayMemory, type ReplayStore } from "./replays.ts";
import { type IncomingCall, readCall } from "./requests.ts";
import { answerOf, bytesOf, type Fetch, send } from "./wire.ts";

export type ResourceServerOptions = {
  /** Origin of the authorization server. */
  readonly issuer: string;
  /** Your origin: the one audience that is accepted, and what a proof's `htu` must begin with. */
  readonly audience: string;
  readonly fetch?: Fetch;
  readonly clock?: Clock;
  /** Where used proofs are remembered. In memory unless given, which suffices for one process. */
  readonly replays?: ReplayStore;
  /** 32 bytes that all your processes share. With it every proof must carry a nonce of yours (RFC 9449 §9). */
  readonly nonceSecret?: Uint8Array;
  /** Your client, to ask the authorization server whether a token still counts. */
  readonly introspection?: { readonly clientId: string; readonly key: PrivateJwk };
  /** Where you describe your API (RFC 9728), for your challenges. */
  readonly metadataUrl?: string;
};

/** `introspect`: also ask the authorization server, so that a token revoked a moment ago is refused. */
export type ResourceNeeds = CallNeeds & { readonly introspect?: boolean };

export type VerifiedCall = {
  readonly claims: AccessTokenClaims;
  /** For your answer: perhaps a fresh DPoP-Nonce. */
  readonly headers: Readonly<Record<string, string>>;
};

export type ResourceServer = {
  /**
   * Who calls, by an access token and the proof of its key; a Problem whose `status` and `headers` are to be answered
   * otherwise (`refusalOf`). Takes a web-standard Request or one of node:http.
   */
  verify(request: IncomingCall, needs: ResourceNeeds): Promise<VerifiedCall>;
};

/** Protects an API with the issuer's tokens: RFC 9068, RFC 9449 and RFC 9470, as Remit's own services do. */
export function createResourceServer(options: ResourceServerOptions): ResourceServer {
  const clock = options.clock ?? systemClock;
  const fetchAny: Fetch = options.fetch ?? ((url, init) => fetch(url, init));
  const { nonceSecret, metadataUrl, issuer, audience } = options;
  const nonces = nonceSecret === undefined ? undefined : createDpopNonces(hmacSha256(nonceSecret));
  const replays = options.replays ?? createReplayMemory(clock);
  const keysOf = createKeySources({ read: reading(fetchAny), clock })(`${issuer}/oauth/jwks.json`);
  const verify = async (request: IncomingCall, needs: ResourceNeeds): Promise<VerifiedCall> => {
    const now = clock.now();
    const credentials = { ...readCall(request, audience), now };
    try {
      const { token } = readAuthorization(credentials.authorization);
      const keys = await keysOf(keyIdOf(token));
      const { claims, proven } = await verifyCall({
        credentials,
        rules: { issuer, audience, keys },
        needs,
        ...(nonces === undefined ? {} : { nonces }),
      });
      if (needs.introspect === true && !(await isActive({ options, fetchAny, now }, token)))
        throw new Problem("token_revoked");
      if (proven !== undefined && !(await replays.claim(proven.firstUse.key, proven.firstUse.until)))
        throw new Problem("invalid_dpop_proof", { detail: "The proof has been used." });
      const fresh = proven?.nonceIsAging === true ? nonces?.issue(now) : undefined;
      return { claims, headers: fresh === undefined ? {} : { "DPoP-Nonce": fresh } };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      const tried = credentials.authorization !== undefined;
      throw challenged(error, needs, { nonce: nonces?.issue(now), metadataUrl, tried });
    }
  };
  return { verify };
}

const reading = (fetchAny: Fetch) => async (url: string) => {
  const response = await send(fetchAny, url, { headers: { accept: "application/json" } });
  const cacheControl = response.headers.get("cache-control") ?? undefined;
  return { status: response.status, body: await bytesOf(response, keyDocumentBytesMax), cacheControl };
};

/** RFC 7662 §2.1. Without an answer nobody is let in. */
async function isActive(
  { options, fetchAny, now }: { options: ResourceServerOptions; fetchAny: Fetch; now: Instant },
  token: string,
): Promise<boolean> {
  const { issuer, introspection } = options;
  if (introspection === undefined)
    throw new Problem("internal_error", { private: { because: "no client to introspect with was given" } });
  const { clientId, key } = introspection;
  const assertion = await makeClientAssertion({ clientId, audience: issuer, now, key });
  try {
    const response = await send(fetchAny, `${issuer}/oauth/introspect`, {
      method: "POST",
      headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        token,
        client_id: clientId,
        client_assertion_type: clientAssertionType,
        client_assertion: assertion,
      }).toString(),
    });
    return (await answerOf(response))["active"] === true;
  } catch (cause) {
    throw new Problem("unavailable", {
      detail: "It cannot be asked whether the token still counts.",
      headers: { "Retry-After": "1" },
      cause,
    });
  }
}

/** A refusal as an answer: `new Response(body, { status, headers })`, or `writeHead(status, headers).end(body)`. */
export function refusalOf(problem: Problem): {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
} {
  return {
    status: problem.status,
    headers: { "content-type": "application/problem+json", "cache-control": "no-store", ...problem.headers },
    body: JSON.stringify(toProblemJson(problem, `req_${randomText()}`)),
  };
}
