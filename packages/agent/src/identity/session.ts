import {
  type Clock,
  type Instant,
  instantOf,
  type Moment,
  momentOf,
  msSince,
  newId,
  secondMs,
} from "@remit/kernel";
import {
  clientAssertion,
  clientAssertionType,
  dpopProof,
  isJsonObject,
  type JsonObject,
  Problem,
  type PublicJwk,
  parseJson,
  parseJwks,
} from "@remit/protocol";
import { sha256b64url } from "@remit/protocol/web";
import type { AgentKey, AgentKeys } from "./keys.ts";
import { bytesOf, type Wire } from "./wire.ts";

/** What the authorization server says of itself (RFC 8414), as far as an agent needs it. */
export type Endpoints = {
  readonly issuer: string;
  readonly authorization: string;
  readonly token: string;
  readonly pushedAuthorization: string;
  readonly jwks: string;
  /** Where a mandate is asked for without a browser; absent when the server does not offer it. */
  readonly deviceAuthorization?: string;
  readonly backchannelAuthentication?: string;
};

type PostEndpoint = "token" | "pushedAuthorization" | "deviceAuthorization" | "backchannelAuthentication";

export type TokenAnswer = {
  readonly accessToken: string;
  readonly expiresAt: Instant;
  readonly refreshToken?: string;
  readonly mandate?: string;
};

export type SessionOptions = {
  readonly issuer: string;
  readonly clientId: string;
  readonly keys: AgentKeys;
  readonly wire: Wire;
  readonly clock: Clock;
};

type Form = Readonly<Record<string, string>>;
type Stoppable = { readonly to: PostEndpoint; readonly signal: AbortSignal | undefined };

/** The agent towards its authorization server: authenticated posts with fresh proofs, and tokens per resource. */
export type Session = {
  endpoints(): Promise<Endpoints>;
  /** The issuer's public keys, as they are now. */
  issuerKeys(): Promise<readonly PublicJwk[]>;
  /** A form post to an endpoint, authenticated and proven; repeated once with the nonce asked for (RFC 9449 §8). */
  post(step: string, endpoint: PostEndpoint | Stoppable, form: Form): Promise<JsonObject>;
  /** A token for one resource by client credentials, cached until shortly before it expires. */
  tokenFor(resource: string): Promise<string>;
  /** Reads from a resource with the agent's token for its origin (RFC 9449 §7). */
  read(step: string, url: string): Promise<JsonObject>;
  /** A token of the agent's own for one resource that came with a grant. */
  keep(resource: string, answer: TokenAnswer): void;
};

const renewBeforeMs = 20 * secondMs;

export function createSession(options: SessionOptions): Session {
  let known: Promise<Endpoints> | undefined;
  let nonce: string | undefined;
  const tokens = new Map<string, Promise<Kept>>();

  const endpoints = (): Promise<Endpoints> => {
    known ??= discover(options);
    known.catch(() => {
      known = undefined;
    });
    return known;
  };

  const post: Session["post"] = async (step, endpoint, form) => {
    const { to, signal } = typeof endpoint === "string" ? { to: endpoint, signal: undefined } : endpoint;
    const { [to]: url, issuer } = await endpoints();
    if (url === undefined)
      throw new Problem("invalid_request", { detail: `The server has no endpoint for ${to}.` });
    for (let attempt = 0; ; attempt++) {
      const sentNonce = nonce;
      const init = await signed(options, { url, issuer, form, nonce: sentNonce });
      const response = await options.wire.send(step, url, signal === undefined ? init : { ...init, signal });
      nonce = response.headers.get("dpop-nonce") ?? nonce;
      const answer = await jsonOf(response);
      if (response.ok && answer !== undefined) return answer;
      const again = answer?.["error"] === "use_dpop_nonce" && nonce !== sentNonce && attempt === 0;
      if (!again) throw refusalOf(response, answer);
    }
  };

  const tokenFor: Session["tokenFor"] = async (resource) => {
    const asked = tokens.get(resource);
    const cached = await asked?.catch(() => undefined);
    // By a clock that nobody sets back: else a token would be used for as long as that, past its end (K08).
    if (cached !== undefined && msSince(cached.since, options.clock) < cached.lifeMs - renewBeforeMs)
      return cached.accessToken;
    // Whoever waited with us may have asked anew already.
    if (tokens.get(resource) !== asked) return tokenFor(resource);
    const form = { grant_type: "client_credentials", scope: "oid4ac:payment", resource };
    const fresh = post("token", "token", form).then((answer) =>
      keptOf(tokenOf(answer, options.clock.now()), options.clock),
    );
    tokens.set(resource, fresh);
    return (await fresh).accessToken;
  };

  return {
    endpoints,
    post,
    async issuerKeys() {
      const response = await options.wire.send("issuer keys", (await endpoints()).jwks, { method: "GET" });
      const keys = parseJwks((await jsonOf(response)) ?? {});
      if (!response.ok || keys === undefined) throw refusalOf(response, undefined);
      return keys;
    },
    read: (step, url) => readResource({ options, tokenFor }, step, url),
    keep: (resource, answer) => void tokens.set(resource, Promise.resolve(keptOf(answer, options.clock))),
    tokenFor,
  };
}

/** A token with the time that it had left when it came. */
type Kept = { readonly accessToken: string; readonly since: Moment; readonly lifeMs: number };

function keptOf({ accessToken, expiresAt }: TokenAnswer, clock: Clock): Kept {
  const since = momentOf(clock);
  return { accessToken, since, lifeMs: expiresAt - since.at };
}

type Reading = { readonly options: SessionOptions; readonly tokenFor: Session["tokenFor"] };

async function readResource({ options, tokenFor }: Reading, step: string, url: string): Promise<JsonObject> {
  const accessToken = await tokenFor(new URL(url).origin);
  let nonce: string | undefined;
  for (let attempt = 0; ; attempt++) {
    const proof = await proofOf(options.keys.dpop, {
      method: "GET",
      url,
      now: options.clock.now(),
      nonce,
      accessToken,
    });
    const headers = { accept: "application/json", authorization: `DPoP ${accessToken}`, dpop: proof };
    const response = await options.wire.send(step, url, { method: "GET", headers });
    const answer = await jsonOf(response);
    if (response.ok && answer !== undefined) return answer;
    nonce = response.headers.get("dpop-nonce") ?? undefined;
    if (response.status !== 401 || nonce === undefined || attempt > 0) throw refusalOf(response, answer);
  }
}

type SignedPost = {
  readonly url: string;
  readonly issuer: string;
  readonly form: Readonly<Record<string, string>>;
  readonly nonce: string | undefined;
};

async function signed({ clientId, keys, clock }: SessionOptions, post: SignedPost): Promise<RequestInit> {
  const now = clock.now();
  const assertion = await keys.assertion.sign(
    clientAssertion({ clientId, audience: post.issuer, now }, newId("request")),
  );
  const proof = await proofOf(keys.dpop, { method: "POST", url: post.url, now, nonce: post.nonce });
  return {
    method: "POST",
    headers: { accept: "application/json", "content-type": "application/x-www-form-urlencoded", dpop: proof },
    body: new URLSearchParams({
      ...post.form,
      client_id: clientId,
      client_assertion_type: clientAssertionType,
      client_assertion: assertion,
    }),
  };
}

/** A DPoP proof (RFC 9449 §4.2) by one of the agent's keys. */
export const proofOf = (
  key: AgentKey,
  request: {
    readonly method: string;
    readonly url: string;
    readonly now: Instant;
    readonly nonce?: string | undefined;
    readonly accessToken?: string;
  },
): Promise<string> => {
  const { nonce, ...rest } = request;
  return key.sign(
    dpopProof(
      { ...rest, key: key.jwk, ...(nonce === undefined ? {} : { nonce }) },
      newId("request"),
      sha256b64url,
    ),
  );
};

async function discover({ issuer, wire }: SessionOptions): Promise<Endpoints> {
  const response = await wire.send("discover", `${issuer}/.well-known/oauth-authorization-server`, {
    method: "GET",
  });
  const metadata = await jsonOf(response);
  if (!response.ok || metadata === undefined) throw refusalOf(response, metadata);
  // RFC 8414 §3.3: metadata of another issuer is a mix-up.
  if (metadata["issuer"] !== issuer)
    throw new Problem("invalid_request", { detail: "The metadata is of another issuer." });
  const url = (name: string): string => {
    const value = metadata[name];
    if (typeof value !== "string" || !URL.canParse(value))
      throw new Problem("invalid_request", { detail: `The metadata lacks ${name}.` });
    return value;
  };
  const { device_authorization_endpoint: device, backchannel_authentication_endpoint: backchannel } =
    metadata;
  return {
    issuer,
    ...(typeof device === "string" ? { deviceAuthorization: device } : {}),
    ...(typeof backchannel === "string" ? { backchannelAuthentication: backchannel } : {}),
    authorization: url("authorization_endpoint"),
    token: url("token_endpoint"),
    pushedAuthorization: url("pushed_authorization_request_endpoint"),
    jwks: url("jwks_uri"),
  };
}

export function tokenOf(answer: JsonObject, now: Instant): TokenAnswer {
  const {
    access_token: accessToken,
    expires_in: expiresIn,
    refresh_token: refreshToken,
    mandate_jwt: mandate,
    token_type: type,
  } = answer;
  if (typeof accessToken !== "string" || typeof expiresIn !== "number")
    throw new Problem("invalid_token", { detail: "The token response lacks access_token or expires_in." });
  // RFC 9449 §5: a token of another type would not be bound to the agent's key.
  if (typeof type !== "string" || type.toLowerCase() !== "dpop")
    throw new Problem("invalid_token", { detail: "The token is not bound to the agent's key." });
  return {
    accessToken,
    expiresAt: instantOf(now + Math.floor(expiresIn) * secondMs),
    ...(typeof refreshToken === "string" ? { refreshToken } : {}),
    ...(typeof mandate === "string" ? { mandate } : {}),
  };
}

/** The JSON object of an answer, if it is one. */
export async function jsonOf(response: Response): Promise<JsonObject | undefined> {
  try {
    const value = parseJson(await bytesOf(response));
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** The server's own refusal, with its words; `private` keeps which endpoint answered. */
export function refusalOf(response: Response, answer: JsonObject | undefined): AgentRefused {
  const code = answer?.["error"] ?? answer?.["code"];
  const words = answer?.["error_description"] ?? answer?.["detail"];
  return new AgentRefused(
    response.status,
    typeof code === "string" ? code : "unexpected_answer",
    typeof words === "string"
      ? words
      : `${new URL(response.url || "about:blank").pathname} answered ${response.status}`,
  );
}

/** What a server answered instead of what was asked for. `code` is its OAuth error or problem code. */
export class AgentRefused extends Error {
  override readonly name = "AgentRefused";
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, detail: string) {
    super(`${code}: ${detail}`);
    this.status = status;
    this.code = code;
  }
}
