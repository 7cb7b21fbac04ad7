import { hourMs, minuteMs, toNumericDate } from "@remit/kernel";
import { type Call, nothing, type Route, route } from "@remit/platform/http";
import { Problem, toOAuthError } from "@remit/protocol";
import { OAuthErrorBody } from "@remit/protocol/contracts";
import { z } from "zod";
import type { Client } from "../clients/index.ts";
import { readAsked } from "./asked.ts";
import {
  type Registered,
  type RegistrationDeps,
  readRegistration,
  registerOpenly,
  registerWithToken,
  removeRegistration,
  replaceRegistration,
} from "./registration.ts";

type Deps = RegistrationDeps & { readonly issuer: string };

/** RFC 7591 §3.2.1: everything that is registered about the client, and the two secrets that it is told once. */
const ClientInformation = z.looseObject({
  client_id: z.string(),
  client_id_issued_at: z.int().optional(),
  client_secret: z.string().optional(),
  client_secret_expires_at: z.literal(0).optional(),
  registration_access_token: z.string().optional(),
  registration_client_uri: z.url().optional(),
  client_name: z.string(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.string(),
  grant_types: z.array(z.string()),
  response_types: z.array(z.string()),
  scope: z.string(),
});
const Asked = z.record(z.string(), z.unknown());
const ClientPath = z.strictObject({ client: z.string().max(64) });
const refused = { 400: OAuthErrorBody, 401: OAuthErrorBody } as const;
const noStore = { "cache-control": "no-store", pragma: "no-cache" };

/** RFC 7591 dynamic registration; the initial access token (§1.2) is a one-shot setup token. */
export const registrationRoutes = (deps: Deps): Route[] => [
  route({
    method: "POST",
    path: "/oauth/register",
    summary: "Register an agent, a merchant's client or an application (RFC 7591)",
    needs: "public",
    body: Asked,
    answers: { 201: ClientInformation, ...refused },
    limit: { count: 30, windowMs: hourMs, by: "ip" },
    handle: (call, { body }) =>
      orRefusal(async () => {
        const asking = { asked: readAsked(body), now: call.now };
        const token = bearerOf(call);
        const registered =
          token === undefined
            ? await registerOpenly(deps, asking)
            : await registerWithToken(deps, { ...asking, token });
        const issued = { client_id_issued_at: toNumericDate(call.now) };
        return { status: 201, headers: noStore, body: { ...informationOf(deps, registered), ...issued } };
      }),
  }),
  ...managementRoutes(deps),
];

/** RFC 7592: an application reads, replaces and ends its own registration. */
const managementRoutes = (deps: Deps): Route[] => {
  const common = { path: "/oauth/register/:client", needs: "public", params: ClientPath } as const;
  const limit = { count: 60, windowMs: minuteMs, by: "ip" } as const;
  return [
    route({
      ...common,
      method: "GET",
      summary: "Read a registration with its registration access token (RFC 7592)",
      answers: { 200: ClientInformation, ...refused },
      limit,
      handle: (call, { params }) =>
        orRefusal(async () => {
          const held = heldBy(call, params.client);
          const client = await readRegistration(deps, held);
          const body = informationOf(deps, { client, registrationToken: held.token });
          return { status: 200, headers: noStore, body };
        }),
    }),
    route({
      ...common,
      method: "PUT",
      summary: "Replace a registration; its token changes (RFC 7592)",
      body: Asked,
      answers: { 200: ClientInformation, ...refused },
      limit,
      handle: (call, { params, body }) =>
        orRefusal(async () => {
          const held = heldBy(call, params.client);
          refuseOurs(body);
          const registered = await replaceRegistration(deps, { held, asked: readAsked(body), now: call.now });
          return { status: 200, headers: noStore, body: informationOf(deps, registered) };
        }),
    }),
    route({
      ...common,
      method: "DELETE",
      summary: "End a registration and its tokens (RFC 7592)",
      answers: { 204: nothing, ...refused },
      limit,
      handle: (call, { params }) =>
        orRefusal(async () => {
          await removeRegistration(deps, { held: heldBy(call, params.client), now: call.now });
          return { status: 204, headers: noStore };
        }),
    }),
  ];
};

// RFC 7592 §2.2: what the server alone writes must not come back.
function refuseOurs(body: Readonly<Record<string, unknown>>): void {
  const ours = [
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
  ];
  const sent = ours.find((name) => name in body);
  if (sent !== undefined) throw new Problem("invalid_request", { detail: `${sent} must not be sent.` });
}

function informationOf(
  { issuer }: Deps,
  { client, registrationToken, secret }: Registered,
): z.input<typeof ClientInformation> {
  return {
    client_id: client.id,
    client_name: client.name,
    redirect_uris: [...client.redirectUris],
    scope: client.scopes.join(" "),
    ...kindlyOf(client),
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 as const }),
    ...(registrationToken === undefined
      ? {}
      : {
          registration_access_token: registrationToken,
          registration_client_uri: `${issuer}/oauth/register/${client.id}`,
        }),
  };
}

// RFC 8693 and RFC 7523: what an agent may use beside what it registered for.
const customGrantTypes = [
  "urn:ietf:params:oauth:grant-type:token-exchange",
  "urn:ietf:params:oauth:grant-type:jwt-bearer",
];

/** What agents and merchants never choose is told them all the same. */
function kindlyOf({ kind, metadata, redirectUris }: Client) {
  if (kind === "application") {
    const { token_endpoint_auth_method: method = "client_secret_basic" } = metadata;
    const { grant_types = [], response_types = [], ...more } = metadata;
    const types = { grant_types: [...grant_types], response_types: [...response_types] };
    return { ...more, ...types, token_endpoint_auth_method: method };
  }
  const code = redirectUris.length > 0;
  return {
    ...metadata,
    token_endpoint_auth_method: "private_key_jwt",
    grant_types: [
      ...(code ? ["authorization_code", "refresh_token"] : []),
      "client_credentials",
      ...(kind === "agent" ? customGrantTypes : []),
    ],
    response_types: code ? ["code"] : [],
    dpop_bound_access_tokens: true,
  };
}

type Refusal = {
  readonly status: 400 | 401;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: OAuthErrorBody;
};

/** RFC 7591 §3.2.2 and RFC 6750 §3.1: a refusal in the words of OAuth, as application/json. */
async function orRefusal<A>(work: () => Promise<A>): Promise<A | Refusal> {
  try {
    return await work();
  } catch (error) {
    const status = error instanceof Problem ? error.status : undefined;
    if (!(error instanceof Problem) || (status !== 400 && status !== 401)) throw error;
    const { headers } = error;
    return { status, headers: { ...noStore, ...headers, ...challengeOf(status) }, body: toOAuthError(error) };
  }
}

const challengeOf = (status: number): Record<string, string> =>
  status === 401 ? { "www-authenticate": 'Bearer realm="registration", error="invalid_token"' } : {};

function heldBy(call: Call, id: string): { id: string; token: string } {
  const token = bearerOf(call);
  if (token === undefined) throw new Problem("registration_token_invalid");
  return { id, token };
}

function bearerOf(call: Call): string | undefined {
  const header = call.header("authorization");
  if (header === undefined) return undefined;
  const token = /^Bearer ([\w-]{1,128})$/i.exec(header)?.[1];
  if (token === undefined)
    throw new Problem("setup_token_invalid", { detail: "Authorization must be Bearer with one token." });
  return token;
}
