import { z } from "zod";
import { PublicJwkBody } from "./merchants.ts";

// What the authorization server's OAuth core serves is no declared route; this is what clients may rely on, and a test
// compares it with the running server.

const Url = z.url();
const Names = z.array(z.string());

/**
 * GET /.well-known/oauth-authorization-server and /.well-known/openid-configuration (RFC 8414 §2, RFC 9126 §5, RFC 9207
 * §3, RFC 9396 §10, RFC 9449 §5.1, OpenID Discovery §3). Agents and merchants push their requests; not every client must.
 */
export const ServerMetadata = z.looseObject({
  issuer: Url,
  authorization_endpoint: Url,
  pushed_authorization_request_endpoint: Url,
  token_endpoint: Url,
  revocation_endpoint: Url,
  introspection_endpoint: Url,
  introspection_signing_alg_values_supported: Names,
  registration_endpoint: Url,
  jwks_uri: Url,
  userinfo_endpoint: Url,
  authorization_response_iss_parameter_supported: z.literal(true),
  scopes_supported: Names,
  response_types_supported: z.tuple([z.literal("code")]),
  grant_types_supported: Names,
  code_challenge_methods_supported: z.tuple([z.literal("S256")]),
  token_endpoint_auth_methods_supported: Names,
  token_endpoint_auth_signing_alg_values_supported: Names,
  dpop_signing_alg_values_supported: Names,
  authorization_details_types_supported: Names,
});
export type ServerMetadata = z.infer<typeof ServerMetadata>;

/** GET /oauth/jwks.json and /.well-known/jwks.json (RFC 7517 §5). */
export const ServerJwks = z.object({ keys: z.array(PublicJwkBody).min(1) });

/** 201 of POST /oauth/par (RFC 9126 §2.2). */
export const PushedRequest = z.strictObject({
  request_uri: z
    .string()
    .regex(/^urn:ietf:params:oauth:request_uri:/)
    .meta({ examples: ["urn:ietf:params:oauth:request_uri:6esc_11ACC5bwc014ltc14eY22c"] }),
  expires_in: z.literal(60),
});
export type PushedRequest = z.infer<typeof PushedRequest>;

/** 200 of POST /oauth/token (RFC 6749 §5.1, RFC 9449 §5). `mandate_jwt` comes with a code that granted a mandate. */
export const TokenBody = z.looseObject({
  access_token: z.string(),
  token_type: z.enum(["DPoP", "Bearer"]),
  expires_in: z.int().min(1).max(900),
  scope: z.string().optional(),
  refresh_token: z.string().optional(),
  mandate_jwt: z.string().optional(),
});
export type TokenBody = z.infer<typeof TokenBody>;

/** 200 of POST /oauth/introspect (RFC 7662 §2.2). `sub` of an agent's token is a name that is good at its `aud` alone. */
export const TokenFacts = z.union([
  z.strictObject({ active: z.literal(false) }),
  z.looseObject({
    active: z.literal(true),
    iss: Url,
    sub: z.string().optional(),
    aud: z.string().optional(),
    client_id: z.string(),
    scope: z.string().optional(),
    exp: z.int(),
    iat: z.int(),
    jti: z.string().optional(),
    token_type: z.enum(["DPoP", "Bearer"]).optional(),
    cnf: z.strictObject({ jkt: z.string() }).optional(),
    organization_id: z.string(),
    mandate_id: z.string().optional(),
    agent_client_id: z.string().optional(),
  }),
]);
export type TokenFacts = z.infer<typeof TokenFacts>;

/** 200 of POST /oauth/bc-authorize (OpenID Connect CIBA §7.3). */
export const BackchannelAnswer = z.looseObject({
  auth_req_id: z.string(),
  expires_in: z.int().min(1),
  interval: z.int().optional(),
});

/** 200 of POST /oauth/device (RFC 8628 §3.2). */
export const DeviceAnswer = z.looseObject({
  device_code: z.string(),
  user_code: z.string(),
  verification_uri: Url,
  verification_uri_complete: Url.optional(),
  expires_in: z.int().min(1),
  interval: z.int().optional(),
});

/** A refusal of an OAuth endpoint (RFC 6749 §5.2). */
export const OAuthErrorBody = z.looseObject({
  error: z.string().regex(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/),
  error_description: z.string().optional(),
});
export type OAuthErrorBody = z.infer<typeof OAuthErrorBody>;
