import { invariant } from "@remit/kernel";
import { mandateDetailsType, purchaseDetailsType } from "@remit/protocol";
import type { Client, KeptCredential } from "../clients/index.ts";
import { jwtBearerGrant, tokenExchangeGrant } from "./custom-grants.ts";
import type { Payload } from "./seam.ts";

/** What we tell the core of a client beside RFC 7591. */
export const extraMembers = [
  "remit_kind",
  "remit_tenant",
  "remit_dpop_thumbprint",
  "remit_profile",
  "remit_bearer",
];

/** A client as the core wants it (RFC 7591 §2). */
export function metadataOf(client: Client): Payload {
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: client.redirectUris,
    // OpenID CIBA §7.1: an agent without a browser asks as one of OpenID Connect.
    scope: (client.kind === "agent" ? ["openid", ...client.scopes] : client.scopes).join(" "),
    remit_kind: client.kind,
    remit_tenant: client.tenant,
    ...(client.kind === "application" ? applicationMembers(client) : ownMembers(client)),
  };
}

/** Agents, merchants and services are held to PAR, DPoP and signed assertions wherever possible. */
function ownMembers(client: Client): Payload {
  const code = client.redirectUris.length > 0;
  return {
    // RFC 8252 §7.3: for a native client the port of a loopback redirect is free.
    application_type:
      client.kind !== "account" && client.redirectUris.some((uri) => uri.startsWith("http:"))
        ? "native"
        : "web",
    response_types: code ? ["code"] : [],
    grant_types: grantTypesOf(client, code),
    ...(client.kind === "agent" ? backchannelOf(client) : {}),
    authorization_details_types: client.kind === "agent" ? [mandateDetailsType, purchaseDetailsType] : [],
    require_pushed_authorization_requests: true,
    post_logout_redirect_uris: client.metadata.post_logout_redirect_uris ?? [],
    ...authenticationOf(client),
    ...(client.dpopThumbprint === undefined ? {} : { remit_dpop_thumbprint: client.dpopThumbprint }),
  };
}

/** An application is what it registered to be; the registration room has checked it. */
function applicationMembers({ metadata, secretDigest }: Client): Payload {
  const { sector_identifier_uri: sector, ...registered } = metadata;
  return {
    ...registered,
    // The core reads the host of it alone. What is at the address was checked at registration.
    ...(sector === undefined ? {} : { sector_identifier_uri: `https://${new URL(sector).host}` }),
    ...(secretDigest === undefined ? {} : { client_secret: keptSecret(secretDigest) }),
  };
}

/** RFC 8628 §3.4 and OpenID CIBA §4: how an agent without a browser gets its principal's answer. */
export const grantTypesWithoutBrowser = [
  "urn:ietf:params:oauth:grant-type:device_code",
  "urn:openid:params:grant-type:ciba",
] as const;

function grantTypesOf({ kind }: Client, code: boolean): string[] {
  const people = code ? ["authorization_code", "refresh_token"] : [];
  if (kind === "wallet") return [...people, tokenExchangeGrant];
  const withoutBrowser = [...(code ? [] : ["refresh_token"]), ...grantTypesWithoutBrowser];
  const agents = kind === "agent" ? [...withoutBrowser, tokenExchangeGrant, jwtBearerGrant] : [];
  return [...people, "client_credentials", ...agents];
}

/** OpenID CIBA §4. */
function backchannelOf({ metadata }: Client): Payload {
  const {
    backchannel_token_delivery_mode: mode = "poll",
    backchannel_client_notification_endpoint: endpoint,
  } = metadata;
  return {
    backchannel_token_delivery_mode: mode,
    // The core only wants to see an address. We call the registered one ourselves (`ping.ts`).
    ...(endpoint === undefined
      ? {}
      : { backchannel_client_notification_endpoint: `https://${new URL(endpoint).host}` }),
  };
}

/** The same client where an assertion of somebody it trusts stands in for its own (RFC 7521 §4.1: client_id alone). */
export function unauthenticated(metadata: Payload): Payload {
  const { client_secret: _, ...rest } = metadata;
  return { ...rest, token_endpoint_auth_method: "none" };
}

/** An agent that proves itself by one of its secrets: it asks for tokens of its own and, without a key, for those handed to it. */
export function bySecret(client: Client, credentials: readonly KeptCredential[]): Payload {
  const digests = credentials.flatMap((one) =>
    one.kind === "secret" ? [`${keptSecret(one.digest)}.${one.id}`] : [],
  );
  const { jwks: _, ...rest } = metadataOf(client);
  return {
    ...rest,
    redirect_uris: [],
    response_types: [],
    // One that has no key acts for others by its secret too (a bearer token, for little); one that has proves it.
    grant_types: ["client_credentials", ...(client.dpopThumbprint === undefined ? [tokenExchangeGrant] : [])],
    token_endpoint_auth_method: "client_secret_basic",
    client_secret: digests.join(" ") || nobodysSecret,
    // What it may have without a proof is looked at when its token is made (claims.ts).
    dpop_bound_access_tokens: false,
    remit_bearer: client.bearer === true,
  };
}

/** An agent that signs assertions: with the key of its row or with one of its credentials. */
export function withKeys(metadata: Payload, credentials: readonly KeptCredential[]): Payload {
  const more = credentials.flatMap((one) => (one.kind === "key" ? [one.jwk] : []));
  const { jwks } = metadata;
  if (more.length === 0 || jwks === undefined) return metadata;
  return { ...metadata, jwks: { keys: [...Object(jwks).keys, ...more] } };
}

// No secret has this as its digest: HMAC-SHA-256 has more characters.
const nobodysSecret = "none";

// The core compares it through `compareClientSecret`, which we replace: it never sees the secret's digest as one.
const keptSecret = (digest: Uint8Array): string => Buffer.from(digest).toString("base64url");

function authenticationOf(client: Client): Payload {
  if (client.secretDigest !== undefined)
    return {
      token_endpoint_auth_method: "client_secret_basic",
      client_secret: keptSecret(client.secretDigest),
    };
  // An agent that has no key yet: whatever it signs proves nothing.
  if (client.kind === "agent" && client.assertion === undefined)
    return { token_endpoint_auth_method: "client_secret_basic", client_secret: nobodysSecret };
  invariant(client.assertion !== undefined, "a client without a secret has a key");
  const { assertion } = client;
  const keys = "jwksUri" in assertion ? { jwks_uri: assertion.jwksUri } : { jwks: { keys: [assertion.jwk] } };
  return { token_endpoint_auth_method: "private_key_jwt", dpop_bound_access_tokens: true, ...keys };
}
