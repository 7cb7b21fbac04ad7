import { randomBytes } from "node:crypto";
import {
  type Clock,
  fromNumericDate,
  hourMs,
  type Instant,
  minuteMs,
  secondMs,
  toNumericDate,
} from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import { clientAssertionType, Problem } from "@remit/protocol";
import * as openid from "openid-client";
import { z } from "zod";
import type { IssuerKeys } from "../keys/index.ts";
import { type IdentityProvider, secretOf } from "./identity-providers.ts";

/** What somebody is sent to the provider with. */
export type Question = {
  readonly redirectUri: string;
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The person must show it now: a session that the provider has from before is not enough. */
  readonly fresh: boolean;
  /** Two factors are wanted. */
  readonly second: boolean;
  readonly loginHint: string | undefined;
};

/** What the provider said, its signature and every claim of the protocol checked. */
export type Said = {
  readonly subject: string;
  readonly email: string | undefined;
  /** Only when the provider says so in so many words. */
  readonly emailVerified: boolean;
  readonly name: string | undefined;
  /** Whether its `acr` is one that counts as two factors. */
  readonly second: boolean;
  /** When the person showed it who they are: minutes or hours ago, where it had a session. Not every provider says. */
  readonly authTime: Instant | undefined;
};

/**
 * The conversation with one upstream provider (OpenID Connect Core 1.0 §3.1), through the one door to other hosts.
 * Problems: `identity_provider_unavailable`, `identity_provider_refused`, `access_denied`, `sign_in_not_recent`.
 */
export type Upstream = {
  /** Reads what it says of itself; throws `invalid_request` with what is wrong. Before it is stored. */
  check(issuer: string): Promise<void>;
  authorizationUrl(provider: IdentityProvider, question: Question): Promise<string>;
  /** `answered`: the address that the browser came back to. Redeems the code. */
  redeem(provider: IdentityProvider, question: Question, answered: URL): Promise<Said>;
};

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly keyring: Keyring;
  readonly keys: IssuerKeys;
  readonly outbound: Outbound;
};

const algs = ["ES256", "EdDSA", "Ed25519", "PS256", "RS256"] as const;
const rememberMs = 10 * minuteMs;
const rememberedMax = 500;
const timeoutMs = 5_000;
const documentBytesMax = 256 * 1024;
/** How old a sign-in may be that was asked for anew: the time it takes to come back. */
const freshS = 120;
/** How old any other may be. It is always asked for, because a provider that is must say how old it is (§2, auth_time). */
export const sessionMaxMs = 12 * hourMs;

export function createUpstream(deps: Deps): Upstream {
  const known = createMemory(deps);
  return {
    check: async (issuer) => {
      await deps.outbound.check(issuer);
      await discover(deps, issuer).catch((error: unknown) => {
        throw new Problem("invalid_request", { detail: `issuer: ${whyOf(error)}`, cause: error });
      });
    },
    authorizationUrl: async (provider, question) => {
      const config = await known(provider).catch(unavailable);
      const { redirectUri, state, nonce, verifier, fresh, second, loginHint } = question;
      const parameters = {
        redirect_uri: redirectUri,
        scope: provider.scopes.join(" "),
        state,
        nonce,
        code_challenge: await openid.calculatePKCECodeChallenge(verifier),
        code_challenge_method: "S256",
        ...(fresh ? { prompt: "login", max_age: "0" } : { max_age: String(sessionMaxMs / secondMs) }),
        ...(second && provider.aal2AcrValues.length > 0
          ? { acr_values: provider.aal2AcrValues.join(" ") }
          : {}),
        ...(loginHint === undefined ? {} : { login_hint: loginHint }),
      };
      return openid.buildAuthorizationUrl(config, parameters).href;
    },
    redeem: async (provider, question, answered) => {
      const config = await known(provider).catch(unavailable);
      const said = await redeem(config, { provider, question, answered }).catch(refuse);
      if (question.fresh) requireFresh(said, deps.clock.now());
      return said;
    },
  };
}

async function redeem(
  config: openid.Configuration,
  given: { provider: IdentityProvider; question: Question; answered: URL },
): Promise<Said> {
  const { provider, question, answered } = given;
  const tokens = await openid.authorizationCodeGrant(config, answered, {
    expectedState: question.state,
    expectedNonce: question.nonce,
    pkceCodeVerifier: question.verifier,
  });
  const claims = tokens.claims();
  if (claims === undefined) throw new openid.ClientError("no ID token");
  const person = await personOf(config, { claims, accessToken: tokens.access_token, provider });
  const { acr, auth_time: authTime } = claims;
  return {
    ...person,
    subject: claims.sub,
    second: typeof acr === "string" && provider.aal2AcrValues.includes(acr),
    authTime: authTime ? fromNumericDate(authTime) : undefined,
  };
}

/**
 * OIDC Core §3.1.3.7 step 13: whoever asks for a new sign-in looks whether there was one. A provider that was asked with
 * `max_age` and says nothing (§2, auth_time) has not said that there was.
 */
function requireFresh({ authTime }: Said, now: Instant): void {
  if (authTime !== undefined && now - authTime <= freshS * secondMs) return;
  const because = authTime === undefined ? "no auth_time" : "auth_time is not recent";
  throw new Problem("sign_in_not_recent", { private: { because } });
}

const Email = z.email().max(254);

/** OIDC Core §5.4: claims of a scope may stand in the ID token or at the userinfo endpoint, there under the same `sub`. */
async function personOf(
  config: openid.Configuration,
  given: { claims: openid.IDToken; accessToken: string; provider: IdentityProvider },
): Promise<Pick<Said, "email" | "emailVerified" | "name">> {
  const { claims, accessToken, provider } = given;
  const asked = claims["email"] === undefined && provider.scopes.includes("email");
  const elsewhere = asked && config.serverMetadata().userinfo_endpoint !== undefined;
  const said = elsewhere ? await openid.fetchUserInfo(config, accessToken, claims.sub) : claims;
  const email = Email.safeParse(said["email"]).data;
  const name = [said["name"], claims["name"]].find((text) => typeof text === "string");
  return {
    email,
    // "true" as a text, or absent, is no word for it.
    emailVerified: email !== undefined && said["email_verified"] === true,
    name:
      name
        ?.replace(/[\p{Cc}\p{Cs}]/gu, "")
        .trim()
        .slice(0, 80) || undefined,
  };
}

/** What a provider says of itself, kept for ten minutes; its keys as long as openid-client keeps them (five). */
function createMemory(deps: Deps): (provider: IdentityProvider) => Promise<openid.Configuration> {
  const known = new Map<string, { config: Promise<openid.Configuration>; untilNs: bigint }>();
  return async (provider) => {
    const { id, authMethod, sealedSecret } = provider;
    const key = `${id} ${authMethod} ${Buffer.from(sealedSecret ?? []).toString("base64")}`;
    const found = known.get(key);
    if (found !== undefined && found.untilNs > deps.clock.monotonicNs()) return found.config;
    const config = configurationOf(deps, provider);
    if (known.size >= rememberedMax) known.delete(known.keys().next().value ?? "");
    known.set(key, { config, untilNs: deps.clock.monotonicNs() + BigInt(rememberMs) * 1_000_000n });
    // Whoever was down is asked again by the next one who comes.
    config.catch(() => known.delete(key));
    return config;
  };
}

async function configurationOf(deps: Deps, provider: IdentityProvider): Promise<openid.Configuration> {
  const metadata = await discover(deps, provider.issuer);
  const config = new openid.Configuration(metadata, provider.clientId, {}, authenticationAt(deps, provider));
  config[openid.customFetch] = fetchThrough(deps);
  config.timeout = timeoutMs / 1000;
  // The signature counts, not only where the token came from: §3.1.3.7 step 6 would let it be left out.
  openid.enableNonRepudiationChecks(config);
  if (provider.issuer.startsWith("http:")) openid.allowInsecureRequests(config);
  return config;
}

/**
 * OpenID Connect Discovery 1.0 §4: the issuer it names is the one that was asked, letter for letter (one of several
 * tenants at a host is no other's), its endpoints may be called, and it signs with an algorithm that we take.
 */
async function discover(deps: Deps, issuer: string): Promise<openid.ServerMetadata> {
  const insecure = issuer.startsWith("http:");
  const found = await openid.discovery(new URL(issuer), "discovery", {}, openid.None(), {
    [openid.customFetch]: fetchThrough(deps),
    timeout: timeoutMs / 1000,
    ...(insecure ? { execute: [openid.allowInsecureRequests] } : {}),
  });
  // Data alone: a method of the library's own stands among it.
  const metadata: openid.ServerMetadata = JSON.parse(JSON.stringify(found.serverMetadata()));
  if (metadata.issuer !== issuer) throw wrong("the document there is of another issuer");
  const { authorization_endpoint: authorization, token_endpoint: token, jwks_uri: jwks } = metadata;
  if (authorization === undefined || token === undefined || jwks === undefined)
    throw wrong("an endpoint is missing in its discovery document");
  if (URL.parse(authorization)?.protocol !== "https:" && !insecure)
    throw wrong("its authorization endpoint is not https");
  for (const url of [token, jwks, metadata.userinfo_endpoint ?? token]) await deps.outbound.check(url);
  const offered = metadata.id_token_signing_alg_values_supported ?? ["RS256"];
  const taken = algs.filter((alg) => offered.includes(alg));
  if (taken.length === 0) throw wrong("it signs ID tokens with no algorithm that is accepted here");
  return { ...metadata, id_token_signing_alg_values_supported: taken };
}

const wrong = (why: string): openid.ClientError => new openid.ClientError(why);

/** Our own door in the shape that openid-client takes: guarded, limited in time and size, following no redirect. */
const fetchThrough =
  ({ outbound }: Pick<Deps, "outbound">): openid.CustomFetch =>
  async (url, { method, headers, body }) => {
    if (body !== undefined && body !== null && !(body instanceof URLSearchParams) && typeof body !== "string")
      throw new TypeError("only forms are sent to a provider");
    const answer = await outbound.request({
      url,
      method: method === "POST" ? "POST" : "GET",
      headers,
      timeoutMs,
      bodyBytesMax: documentBytesMax,
      ...(body === undefined || body === null ? {} : { body: body.toString() }),
    });
    if (answer.status >= 500)
      throw new Problem("outbound_failed", { private: { because: `status ${answer.status}` } });
    const empty = answer.status === 204 || answer.status === 304;
    // A copy: Response takes bytes of a plain ArrayBuffer only.
    return new Response(empty ? null : new Uint8Array(answer.body), {
      status: answer.status,
      headers: answer.headers,
    });
  };

/** The secret is opened for the one request that carries it. */
const authenticationAt =
  (deps: Deps, provider: IdentityProvider): openid.ClientAuth =>
  // openid-client awaits it, though its type says nothing of that.
  async (...request) => {
    if (provider.authMethod === "private_key_jwt") return assertBy(deps, provider, request);
    const secret = await deps.db.global.transaction((tx) => secretOf(deps, tx, provider));
    const by =
      provider.authMethod === "client_secret_basic" ? openid.ClientSecretBasic : openid.ClientSecretPost;
    by(secret)(...request);
  };

/** RFC 7523 §3, with the issuer alone as audience (draft-ietf-oauth-rfc7523bis): no other server can use it. */
async function assertBy(
  { clock, keys }: Deps,
  { clientId }: IdentityProvider,
  [server, , body]: Parameters<openid.ClientAuth>,
): Promise<void> {
  const now = toNumericDate(clock.now());
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: server.issuer,
    jti: randomBytes(16).toString("base64url"),
    iat: now,
    exp: now + 60,
  };
  body.set("client_id", clientId);
  body.set("client_assertion_type", clientAssertionType);
  body.set("client_assertion", await keys.sign("client", { typ: "JWT" }, claims));
}

const unavailable = (error: unknown): never => {
  throw new Problem("identity_provider_unavailable", { cause: error, private: { because: whyOf(error) } });
};

/** Which of the three it was: the person's no, their trouble, or an answer that proves nothing. */
function refuse(error: unknown): never {
  const named = errorNamed(error);
  if (named === "access_denied" || named === "login_required" || named === "interaction_required")
    throw new Problem("access_denied", { detail: "You did not sign in there.", cause: error });
  const passing = named === "temporarily_unavailable" || named === "server_error";
  if (passing || isOutage(error)) unavailable(error);
  throw new Problem("identity_provider_refused", { cause: error, private: { because: whyOf(error) } });
}

/** The `error` of an authorization response (RFC 6749 §4.1.2.1). */
const errorNamed = (error: unknown): string | undefined =>
  error instanceof openid.AuthorizationResponseError ? error.error : undefined;

const isOutage = (error: unknown): boolean =>
  error instanceof Problem
    ? error.code === "outbound_failed" || error.code === "outbound_refused"
    : error instanceof Error &&
      ("code" in error && error.code === "OAUTH_TIMEOUT" ? true : isOutage(error.cause));

const whyOf = (error: unknown): string => {
  const inner = error instanceof Error && error.cause instanceof Error ? error.cause : undefined;
  if (inner instanceof Problem) return inner.detail ?? "it does not answer";
  if (!(error instanceof Error)) return "it does not answer";
  return inner === undefined ? error.message : `${error.message} (${inner.message})`;
};
