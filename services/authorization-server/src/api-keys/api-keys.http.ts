import { minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { actorOf, type Call, type Caller, nothing, type Route, route } from "@remit/platform/http";
import {
  type ApiKeyBody,
  ApiKeyPage,
  CreateApiKey,
  Cursor,
  IssuedApiKey,
  idOf,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { requireFreshProof } from "../assurance/index.ts";
import {
  type ApiKey,
  type ApiKeyDeps,
  apiKeysOf,
  type By,
  createApiKey,
  revokeApiKey,
  rotateApiKey,
} from "./api-keys.ts";

type Deps = ApiKeyDeps & { readonly cursors: Cursors };

const KeyPath = z.strictObject({ id: idOf("client") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(50),
  cursor: Cursor.optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 60, windowMs: minuteMs, by: "tenant" } as const;
const unproven = "insufficient_user_authentication" as const;

/** The organization's keys for programs that manage it. Making one takes a fresh proof; ending one takes none. */
export const apiKeyRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  rotateRoute(deps),
  revokeRoute(deps),
];

const byOf = ({ caller, now }: Call & { readonly caller: Caller }): By => ({ actor: actorOf(caller), now });

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/api-keys",
    summary: "Make an API key; its secret is shown this once",
    needs,
    limit,
    body: CreateApiKey,
    answers: { 201: IssuedApiKey, 400: "invalid_request", 401: unproven, 403: "forbidden" },
    handle: async (call, { body }) => {
      requireFreshProof(call);
      const { key, secret } = await createApiKey(deps, call.caller.tenant, { ...body, ...byOf(call) });
      return { status: 201, headers: noStore, body: { ...bodyOf(key), client_secret: secret } };
    },
  });

const listRoute = (deps: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/api-keys",
    summary: "The organization's API keys, newest first; never a secret",
    needs,
    limit: { count: 600, windowMs: minuteMs, by: "tenant" },
    query: Page,
    answers: { 200: ApiKeyPage, 400: "cursor_invalid" },
    handle: async ({ caller }, { query: { cursor, limit: most } }) => {
      const filter = { list: "api-keys", tenant: caller.tenant };
      const before = cursor === undefined ? undefined : parseId("client", deps.cursors.read(filter, cursor));
      const found = await apiKeysOf(deps, caller.tenant, { limit: most + 1, before });
      const shown = found.slice(0, most);
      const last = found.length > most ? shown.at(-1) : undefined;
      const next_cursor = last === undefined ? null : deps.cursors.make(filter, last.id);
      return { status: 200, body: { data: shown.map(bodyOf), next_cursor } };
    },
  });

const rotateRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/api-keys/:id/rotate",
    summary: "Give an API key another secret; the former opens nothing any more",
    needs,
    limit,
    params: KeyPath,
    body: z.strictObject({}),
    answers: {
      200: IssuedApiKey,
      401: unproven,
      403: "forbidden",
      404: "not_found",
      409: "credential_ended",
    },
    handle: async (call, { params }) => {
      requireFreshProof(call);
      const named = { tenant: call.caller.tenant, id: params.id };
      const { key, secret } = await rotateApiKey(deps, named, byOf(call));
      return { status: 200, headers: noStore, body: { ...bodyOf(key), client_secret: secret } };
    },
  });

const revokeRoute = (deps: Deps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/api-keys/:id",
    summary: "End an API key, and every token that it was given",
    needs,
    criticality: "critical",
    limit,
    params: KeyPath,
    answers: { 204: nothing, 403: "forbidden", 404: "not_found" },
    handle: async (call, { params }) => {
      await revokeApiKey(deps, { tenant: call.caller.tenant, id: params.id }, byOf(call));
      return { status: 204 };
    },
  });

const noStore = { "cache-control": "no-store" };

const bodyOf = (key: ApiKey): z.input<typeof ApiKeyBody> => ({
  id: key.id,
  name: key.name,
  scopes: [...key.scopes],
  status: key.revokedAt === undefined ? "active" : "revoked",
  ends_with: key.secretEnds ?? null,
  created_by: key.madeBy ?? null,
  created_at: toRfc3339(key.createdAt),
  rotated_at: key.rotatedAt === undefined ? null : toRfc3339(key.rotatedAt),
  revoked_at: key.revokedAt === undefined ? null : toRfc3339(key.revokedAt),
  last_used_at: key.lastUsedAt === undefined ? null : toRfc3339(key.lastUsedAt),
});
