import { z } from "zod";
import { idOf, Timestamp, text } from "./values.ts";

/** What an API key may be allowed: what manages an organization, and nothing that pays. */
export const apiKeyScopes = [
  "agents:read",
  "agents:write",
  "tokens:read",
  "audit:read",
  "offers:read",
  "offers:write",
  "webhooks:read",
  "webhooks:write",
  "ssf.read",
  "ssf.manage",
  "billing:read",
  "admin:orgs",
] as const;
const ApiKeyScope = z.enum(apiKeyScopes);

/** POST /api/v1/api-keys: a client of the organization with a secret, for programs that manage it. */
export const CreateApiKey = z
  .strictObject({
    name: text(120),
    scopes: z
      .array(ApiKeyScope)
      .min(1)
      .max(apiKeyScopes.length)
      .refine((all) => new Set(all).size === all.length, "names a scope twice"),
  })
  .meta({ examples: [{ name: "deployments", scopes: ["agents:read", "agents:write"] }] });
export type CreateApiKey = z.infer<typeof CreateApiKey>;

export const ApiKeyBody = z.object({
  /** What the token endpoint calls it (`client_id`). */
  id: idOf("client"),
  name: z.string(),
  scopes: z.array(z.string()),
  status: z.enum(["active", "revoked"]),
  /** The last four characters of its secret; null for one that the installation set up. */
  ends_with: z.string().nullable(),
  created_by: z.string().nullable(),
  created_at: Timestamp,
  rotated_at: Timestamp.nullable(),
  revoked_at: Timestamp.nullable(),
  /** When it last called this API, to a second or so. */
  last_used_at: Timestamp.nullable(),
});
export type ApiKeyBody = z.infer<typeof ApiKeyBody>;

/** With the secret, which is shown this once. */
export const IssuedApiKey = ApiKeyBody.extend({ client_secret: z.string() });

/** All that an organization ever had; only the live ones are limited. */
export const ApiKeyPage = z.object({ data: z.array(ApiKeyBody), next_cursor: z.string().nullable() });
