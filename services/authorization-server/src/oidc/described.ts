import type { Described } from "@remit/platform/http";
import {
  BackchannelAnswer,
  DeviceAnswer,
  OAuthErrorBody,
  PushedRequest,
  ServerMetadata,
  TokenBody,
  TokenFacts,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { endSessionPath } from "./logout.ts";

// What the core and the token endpoints in front of it serve, for the API document: forms are open, since OAuth tells
// servers to ignore parameters that they do not know (RFC 6749 §3.1, §3.2).

const proof = {
  client_id: z.string().optional(),
  client_secret: z.string().optional(),
  client_assertion_type: z.string().optional(),
  client_assertion: z.string().optional(),
};

const refused = {
  400: { description: "A refusal (RFC 6749 §5.2).", schema: OAuthErrorBody },
  401: { description: "The client did not prove itself (RFC 6749 §5.2).", schema: OAuthErrorBody },
  403: { description: "Not for this client.", schema: OAuthErrorBody },
  413: { description: "The form is too large.", schema: OAuthErrorBody },
  415: { description: "No form.", schema: OAuthErrorBody },
  429: { description: "Too many requests; see Retry-After.", schema: OAuthErrorBody },
  500: { description: "Something failed on our side.", schema: OAuthErrorBody },
  503: { description: "Not available now; see Retry-After.", schema: OAuthErrorBody },
} as const;

const TokenForm = z.looseObject({
  ...proof,
  grant_type: z.string(),
  scope: z.string().optional(),
  resource: z.string().optional(),
  code: z.string().optional(),
  code_verifier: z.string().optional(),
  redirect_uri: z.string().optional(),
  refresh_token: z.string().optional(),
  device_code: z.string().optional(),
  auth_req_id: z.string().optional(),
  assertion: z.string().optional(),
  subject_token: z.string().optional(),
  subject_token_type: z.string().optional(),
  actor_token: z.string().optional(),
  actor_token_type: z.string().optional(),
});

const AskingForm = z.looseObject({
  ...proof,
  scope: z.string().optional(),
  resource: z.string().optional(),
  authorization_details: z.string().optional(),
});

const AboutForm = z.looseObject({ ...proof, token: z.string(), token_type_hint: z.string().optional() });

const AuthorizeQuery = z.object({ client_id: z.string(), request_uri: z.string().optional() });

const page = { description: "A page that says what is wrong.", type: "text/html", schema: z.string() };
const away = { description: "On to sign-in and consent, or back to the client." };

const post = (
  path: string,
  entry: Pick<Described, "summary" | "form" | "answers"> & Partial<Described>,
): Described => ({ method: "POST", path, security: ["client"], ...entry });

const tokenAt = (path: string): Described =>
  post(path, {
    summary: "A token for a grant (RFC 6749 §3.2), bound to the key of the DPoP proof (RFC 9449 §5)",
    form: TokenForm,
    answers: { 200: { description: "The token.", schema: TokenBody }, ...refused },
  });

const introspectAt = (path: string): Described =>
  post(path, {
    summary: "What a token is good for (RFC 7662)",
    security: ["client", "dpop", "bearer"],
    form: AboutForm,
    answers: { 200: { description: "What is known of it.", schema: TokenFacts }, ...refused },
  });

const revokeAt = (path: string): Described =>
  post(path, {
    summary: "Give a token back (RFC 7009)",
    security: ["client", "dpop", "bearer"],
    form: AboutForm,
    answers: { 200: { description: "It is not good any more, if it ever was." }, ...refused },
  });

const metadataAt = (path: string): Described => ({
  method: "GET",
  path,
  summary: "What this authorization server can do (RFC 8414, OpenID Connect Discovery)",
  security: [],
  answers: { 200: { description: "The metadata.", schema: ServerMetadata } },
});

const userinfo = (method: "GET" | "POST"): Described => ({
  method,
  path: "/oauth/userinfo",
  summary: "Who a person is, for a client they let in (OpenID Connect Core §5.3)",
  security: ["dpop", "bearer"],
  answers: {
    200: { description: "The claims.", schema: z.looseObject({ sub: z.string() }) },
    ...refused,
  },
});

/** Every address of OAuth and OpenID Connect that is served by no declared route. */
export const oauthAddresses: readonly Described[] = [
  metadataAt("/.well-known/oauth-authorization-server"),
  metadataAt("/.well-known/openid-configuration"),
  {
    method: "GET",
    path: "/oauth/authorize",
    summary: "Ask a person in their browser (RFC 6749 §3.1, by pushed request: RFC 9126 §4)",
    security: [],
    query: AuthorizeQuery,
    answers: { 303: away, 400: page },
  },
  {
    method: "GET",
    path: endSessionPath,
    summary: "Sign a person out on behalf of a client (OpenID Connect RP-Initiated Logout)",
    security: [],
    query: z.object({ id_token_hint: z.string().optional() }),
    answers: { 200: { ...page, description: "The question whether to sign out." }, 303: away, 400: page },
  },
  post("/oauth/par", {
    summary: "Push an authorization request (RFC 9126)",
    form: AskingForm.extend({ redirect_uri: z.string().optional(), response_type: z.string().optional() }),
    answers: { 201: { description: "Where it is kept.", schema: PushedRequest }, ...refused },
  }),
  post("/oauth/bc-authorize", {
    summary: "Ask a person who is elsewhere (OpenID Connect CIBA)",
    form: AskingForm.extend({ login_hint: z.string().optional(), binding_message: z.string().optional() }),
    answers: { 200: { description: "What to poll with.", schema: BackchannelAnswer }, ...refused },
  }),
  post("/oauth/device", {
    summary: "Ask a person on another screen (RFC 8628 §3.1)",
    form: AskingForm,
    answers: { 200: { description: "The codes.", schema: DeviceAnswer }, ...refused },
  }),
  ...["/oauth/token", "/api/v1/token", "/oauth2/token"].map(tokenAt),
  ...["/oauth/introspect", "/api/v1/token/introspect"].map(introspectAt),
  ...["/oauth/revoke", "/api/v1/token/revoke"].map(revokeAt),
  userinfo("GET"),
  userinfo("POST"),
];
