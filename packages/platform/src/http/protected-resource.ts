import { z } from "zod";
import type { HttpOptions } from "./options.ts";
import { type Page, type Route, route } from "./route.ts";

const path = "/.well-known/oauth-protected-resource";

/** Where a client finds out whose tokens this server takes (RFC 9728 §3.1, §5.1). */
export const resourceMetadataUrl = (origin: string): string => `${origin}${path}`;

const ResourceMetadata = z.object({
  resource: z.url(),
  authorization_servers: z.array(z.url()),
  scopes_supported: z.array(z.string()),
  bearer_methods_supported: z.array(z.string()),
  dpop_signing_alg_values_supported: z.array(z.string()),
  dpop_bound_access_tokens_required: z.boolean(),
  resource_documentation: z.url(),
});

/**
 * RFC 9728 §2: whose tokens this server takes, for what, and that they are bound. None for a server that takes no tokens.
 * The scopes are those that its routes ask for, so that none is forgotten.
 */
export function protectedResourceRoutes(
  { origin, authenticate, protectedResource }: HttpOptions,
  declared: () => readonly (Route | Page)[],
): Route[] {
  const issuer = authenticate?.issuer ?? protectedResource?.issuer;
  if (issuer === undefined) return [];
  const metadata = route({
    method: "GET",
    path,
    summary: "Whose access tokens this server takes, and for what (RFC 9728)",
    needs: "public",
    answers: { 200: ResourceMetadata },
    handle: () => {
      const needs = declared().flatMap((entry) =>
        entry.kind === "route" && entry.needs !== "public" ? [entry.needs] : [],
      );
      const scopes = [...needs.flatMap(({ scope }) => scope), ...(protectedResource?.scopes ?? [])];
      return {
        status: 200,
        headers: { "Cache-Control": "public, max-age=300", "Access-Control-Allow-Origin": "*" },
        body: {
          resource: origin,
          authorization_servers: [issuer],
          scopes_supported: [...new Set(scopes)].sort((a, b) => a.localeCompare(b)),
          bearer_methods_supported: ["header"],
          dpop_signing_alg_values_supported: ["ES256", "EdDSA"],
          dpop_bound_access_tokens_required: !needs.some(({ bearer }) => bearer === true),
          resource_documentation: `${origin}/openapi.json`,
        },
      };
    },
  });
  return [metadata];
}
