import { type PublicJwk, parsePublicJwk, parseScope, type Scope } from "@remit/protocol";
import {
  type ApplicationRegistration,
  type AuthMethod,
  authMethods,
  type ClientMetadata,
  scopesOf,
} from "../clients/index.ts";
import { addressNamed, isLoopback, redirectUriOf } from "./addresses.ts";
import type { AskedMetadata } from "./asked.ts";
import { nameOf } from "./names.ts";
import { refuse } from "./refuse.ts";

const redirectsMax = 10;
const signatureAlgs = ["ES256", "EdDSA"] as const;
const grantTypes = [
  "authorization_code",
  "refresh_token",
  // For identity assertions at other servers (`trusts`).
  "urn:ietf:params:oauth:grant-type:token-exchange",
];

/** What the client would believe to have and we do not do (OpenID registration §2, RFC 9101 §10.5, RFC 8705 §3.4). */
const undone = [
  "userinfo_signed_response_alg",
  "userinfo_encrypted_response_alg",
  "id_token_encrypted_response_alg",
  "introspection_encrypted_response_alg",
  "request_object_signing_alg",
  "request_object_encryption_alg",
  "require_signed_request_object",
  "tls_client_certificate_bound_access_tokens",
  "software_statement",
];

/**
 * What an application asks to be, checked (A09): an OpenID relying party or an MCP client, whoever wrote it. Refuses
 * whatever it would otherwise believe to have. Nothing in it is fetched here.
 */
export function applicationOf(asked: AskedMetadata, usualName: string | undefined): ApplicationRegistration {
  for (const name of undone)
    if (asked[name] !== undefined && asked[name] !== false) refuse(`${name} is not supported.`);
  const method = oneOf("token_endpoint_auth_method", asked.token_endpoint_auth_method, authMethods);
  const redirectUris = redirectsOf(asked);
  const metadata: ClientMetadata = {
    token_endpoint_auth_method: method ?? "client_secret_basic",
    application_type: applicationTypeOf(asked, redirectUris),
    ...grantsOf(asked, redirectUris),
    ...keysOf(asked, method ?? "client_secret_basic"),
    ...signInOf(asked, redirectUris),
    ...addressesOf(asked),
    ...ruleOf(asked),
  };
  return {
    kind: "application",
    name: nameOf(asked.client_name ?? usualName ?? "Unnamed application"),
    redirectUris,
    scopes: scopesAsked(asked, metadata),
    metadata: heldToProfile(asked, metadata),
  };
}

function oneOf<const T extends string>(
  name: string,
  value: string | undefined,
  known: readonly T[],
): T | undefined {
  if (value === undefined) return undefined;
  return known.find((text) => text === value) ?? refuse(`${name} must be one of ${known.join(", ")}.`);
}

function redirectsOf(asked: AskedMetadata): string[] {
  const uris = [...new Set((asked.redirect_uris ?? []).map(redirectUriOf))];
  if (uris.length > redirectsMax) refuse(`At most ${redirectsMax} redirect_uris.`, "invalid_redirect_uri");
  return uris;
}

/** OpenID registration §2: `web` unless said, or unless it lives on the person's own machine. */
function applicationTypeOf(asked: AskedMetadata, redirects: readonly string[]): "native" | "web" {
  const said = oneOf("application_type", asked.application_type, ["native", "web"]);
  return said ?? (redirects.some(isLoopback) ? "native" : "web");
}

function grantsOf(asked: AskedMetadata, redirects: readonly string[]): ClientMetadata {
  const wanted = [...new Set(asked.grant_types ?? ["authorization_code"])];
  if (wanted.some((type) => !grantTypes.includes(type)))
    refuse(`grant_types may hold ${grantTypes.join(", ")}.`);
  const code = wanted.includes("authorization_code");
  const responses = asked.response_types ?? (code ? ["code"] : []);
  // RFC 7591 §2.1: the two say the same, or one of them is wrong.
  if (responses.some((type) => type !== "code") || responses.includes("code") !== code)
    refuse('response_types must be ["code"], together with the grant type authorization_code.');
  if (code && redirects.length === 0) refuse("redirect_uris are missing.", "invalid_redirect_uri");
  return { grant_types: wanted, response_types: code ? ["code"] : [] };
}

function keysOf(asked: AskedMetadata, method: AuthMethod): ClientMetadata {
  const { jwks, jwks_uri } = asked;
  if (jwks !== undefined && jwks_uri !== undefined) refuse("jwks and jwks_uri exclude each other.");
  if (method === "private_key_jwt" && jwks === undefined && jwks_uri === undefined)
    refuse("jwks or jwks_uri is missing: private_key_jwt needs a key.");
  const alg = oneOf("token_endpoint_auth_signing_alg", asked.token_endpoint_auth_signing_alg, signatureAlgs);
  return {
    ...(alg === undefined ? {} : { token_endpoint_auth_signing_alg: alg }),
    ...(jwks === undefined ? {} : { jwks: { keys: jwks.keys.map(keyOf) } }),
    ...(jwks_uri === undefined ? {} : { jwks_uri: addressNamed("jwks_uri", jwks_uri) }),
  };
}

function keyOf(value: unknown): PublicJwk {
  const { key_ops: _, ...jwk } = Object(value);
  const key = parsePublicJwk(jwk);
  if (key === undefined || key.kty === "RSA") return refuse("jwks: only public P-256 and Ed25519 keys.");
  return key;
}

/** What its ID tokens and its people's sign-ins look like (OpenID registration §2, OpenID Core §8.1). */
function signInOf(asked: AskedMetadata, redirects: readonly string[]): ClientMetadata {
  const subject = oneOf("subject_type", asked.subject_type, ["public", "pairwise"]) ?? "public";
  const sector = asked.sector_identifier_uri;
  const hosts = new Set(redirects.map((uri) => URL.parse(uri)?.host));
  if (subject === "pairwise" && sector === undefined && hosts.size !== 1)
    refuse("sector_identifier_uri is needed: the redirect_uris are of more than one host, or of none.");
  const { default_max_age, require_auth_time } = asked;
  return {
    id_token_signed_response_alg:
      oneOf("id_token_signed_response_alg", asked.id_token_signed_response_alg, signatureAlgs) ?? "ES256",
    subject_type: subject,
    ...(sector === undefined ? {} : { sector_identifier_uri: addressNamed("sector_identifier_uri", sector) }),
    ...(default_max_age === undefined ? {} : { default_max_age }),
    ...(require_auth_time === undefined ? {} : { require_auth_time }),
  };
}

function addressesOf(asked: AskedMetadata): ClientMetadata {
  const names = [
    "client_uri",
    "logo_uri",
    "policy_uri",
    "tos_uri",
    "initiate_login_uri",
    "backchannel_logout_uri",
    "backchannel_client_notification_endpoint",
  ] as const;
  const given = names.flatMap((name) => {
    const value = asked[name];
    return value === undefined ? [] : [[name, addressNamed(name, value)] as const];
  });
  const logout = asked.post_logout_redirect_uris?.map((uri) =>
    addressNamed("post_logout_redirect_uris", uri),
  );
  return {
    ...Object.fromEntries(given),
    ...(logout === undefined ? {} : { post_logout_redirect_uris: [...new Set(logout)] }),
  };
}

function ruleOf(asked: AskedMetadata): ClientMetadata {
  if ((asked.authorization_details_types ?? []).length > 0)
    refuse("authorization_details_types must be empty: mandates are for agents.");
  const mode = oneOf("backchannel_token_delivery_mode", asked.backchannel_token_delivery_mode, [
    "poll",
    "ping",
  ]);
  if (mode === "ping" && asked.backchannel_client_notification_endpoint === undefined)
    refuse("backchannel_client_notification_endpoint is missing: ping needs it.");
  return {
    backchannel_logout_session_required: asked.backchannel_logout_session_required ?? false,
    require_pushed_authorization_requests: asked.require_pushed_authorization_requests ?? false,
    dpop_bound_access_tokens: asked.dpop_bound_access_tokens ?? false,
    ...(mode === undefined ? {} : { backchannel_token_delivery_mode: mode }),
  };
}

/** Without a scope it may ask for all that applications may (RFC 7591 §2), except where that would tell who is who. */
function scopesAsked({ scope }: AskedMetadata, { subject_type }: ClientMetadata): Scope[] {
  // A token for our own API names the account, so a client with pairwise subjects cannot have one.
  const known: readonly Scope[] =
    subject_type === "pairwise"
      ? scopesOf.application.filter((name) => name !== "wallet:read")
      : scopesOf.application;
  if (scope === undefined) return [...known];
  const named = scope.split(" ").filter((name) => name !== "");
  return [...new Set(named)].map(
    (name) =>
      known.find((one) => one === parseScope(name)) ??
      refuse(`scope: ${JSON.stringify(name.slice(0, 64))} is not for this application.`),
  );
}

/** FAPI 2.0 Security Profile §5.3.2 and §5.3.3: what a client of the profile cannot choose. */
function heldToProfile(asked: AskedMetadata, metadata: ClientMetadata): ClientMetadata {
  if (oneOf("remit_profile", asked.remit_profile, ["fapi2"]) === undefined) return metadata;
  if (metadata.token_endpoint_auth_method !== "private_key_jwt")
    refuse("remit_profile fapi2: token_endpoint_auth_method must be private_key_jwt.");
  if (asked.dpop_bound_access_tokens === false || asked.require_pushed_authorization_requests === false)
    refuse("remit_profile fapi2: tokens are bound by DPoP and requests are pushed.");
  return {
    ...metadata,
    remit_profile: "fapi2",
    dpop_bound_access_tokens: true,
    require_pushed_authorization_requests: true,
  };
}
