import { hourMs, toNumericDate } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { z } from "zod";
import { registrationOf } from "./metadata.ts";
import type { Secrets } from "./secrets.ts";
import { useSetupToken } from "./setup-tokens.ts";

const text = z.string().max(2048);
const Metadata = z.looseObject({
  client_name: z.string().max(200).optional(),
  redirect_uris: z.array(text).max(20).optional(),
  token_endpoint_auth_method: text.optional(),
  grant_types: z.array(text).max(10).optional(),
  response_types: z.array(text).max(10).optional(),
  scope: text.optional(),
  jwks: z.object({ keys: z.array(z.looseObject({})).max(4) }).optional(),
  private_key_jwt_jwk: z.looseObject({}).optional(),
  dpop_jwk: z.looseObject({}).optional(),
});

const Registered = z.object({
  client_id: z.string(),
  client_id_issued_at: z.int(),
  client_name: z.string(),
  redirect_uris: z.array(z.string()),
  token_endpoint_auth_method: z.literal("private_key_jwt"),
  grant_types: z.array(z.string()),
  response_types: z.array(z.string()),
  scope: z.string(),
  dpop_bound_access_tokens: z.literal(true),
});

/** RFC 7591 dynamic registration; the initial access token (§1.2) is a one-shot setup token. */
export const registrationRoutes = (deps: { db: Database; secrets: Secrets }): Route[] => [
  route({
    method: "POST",
    path: "/oauth/register",
    summary: "Register an agent or a merchant's client with a setup token (RFC 7591)",
    needs: "public",
    body: Metadata,
    answers: {
      201: Registered,
      400: ["invalid_client_metadata", "invalid_redirect_uri", "invalid_request"],
      401: "setup_token_invalid",
    },
    limit: { count: 30, windowMs: hourMs, by: "ip" },
    handle: async (call, { body }) => {
      const token = bearerOf(call.header("authorization"));
      const input = { token, wanted: (setup: Setup) => registrationOf(setup, body), now: call.now };
      const client = await useSetupToken(deps, input);
      const code = client.redirectUris.length > 0;
      return {
        status: 201,
        headers: { "cache-control": "no-store" },
        body: {
          client_id: client.id,
          client_id_issued_at: toNumericDate(call.now),
          client_name: client.name,
          redirect_uris: [...client.redirectUris],
          token_endpoint_auth_method: "private_key_jwt" as const,
          grant_types: [...(code ? ["authorization_code", "refresh_token"] : []), "client_credentials"],
          response_types: code ? ["code"] : [],
          scope: client.scopes.join(" "),
          dpop_bound_access_tokens: true as const,
        },
      };
    },
  }),
];

type Setup = Parameters<typeof registrationOf>[0];

function bearerOf(header: string | undefined): string {
  const token = /^Bearer ([\w-]{1,128})$/i.exec(header ?? "")?.[1];
  if (token === undefined)
    throw new Problem("setup_token_invalid", {
      detail: "Send the setup token as Authorization: Bearer.",
      headers: { "www-authenticate": 'Bearer realm="registration"' },
    });
  return token;
}
