import { invariant } from "@remit/kernel";
import type { Client } from "../clients/index.ts";
import type { Payload } from "./seam.ts";

/** What we tell the core of a client beside RFC 7591. */
export const extraMembers = ["remit_kind", "remit_tenant", "remit_dpop_thumbprint"];

/** A client as the core wants it (RFC 7591 §2). Ours are strict: PAR, PKCE, DPoP and signed assertions wherever possible. */
export function metadataOf(client: Client): Payload {
  const code = client.redirectUris.length > 0;
  return {
    client_id: client.id,
    client_name: client.name,
    // RFC 8252 §7.3: for a native client the port of a loopback redirect is free.
    application_type: client.redirectUris.some((uri) => uri.startsWith("http:")) ? "native" : "web",
    redirect_uris: client.redirectUris,
    response_types: code ? ["code"] : [],
    grant_types: grantTypesOf(client, code),
    scope: client.scopes.join(" "),
    authorization_details_types: client.kind === "agent" ? ["oid4ac_mandate"] : [],
    require_pushed_authorization_requests: true,
    ...authenticationOf(client),
    remit_kind: client.kind,
    remit_tenant: client.tenant,
    ...(client.dpopThumbprint === undefined ? {} : { remit_dpop_thumbprint: client.dpopThumbprint }),
  };
}

function grantTypesOf({ kind }: Client, code: boolean): string[] {
  if (kind === "wallet") return ["authorization_code", "refresh_token"];
  return code ? ["authorization_code", "refresh_token", "client_credentials"] : ["client_credentials"];
}

function authenticationOf(client: Client): Payload {
  if (client.secretDigest !== undefined) {
    // The core compares it through `compareClientSecret`, which we replace: it never sees the secret's digest as one.
    const digest = Buffer.from(client.secretDigest).toString("base64url");
    return { token_endpoint_auth_method: "client_secret_basic", client_secret: digest };
  }
  invariant(client.assertion !== undefined, "a client without a secret has a key");
  const { assertion } = client;
  const keys = "jwksUri" in assertion ? { jwks_uri: assertion.jwksUri } : { jwks: { keys: [assertion.jwk] } };
  return { token_endpoint_auth_method: "private_key_jwt", dpop_bound_access_tokens: true, ...keys };
}
