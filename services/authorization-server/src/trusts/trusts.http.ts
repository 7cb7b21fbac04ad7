import { fromRfc3339, type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { actorOf, type Caller, nothing, type Route, route } from "@remit/platform/http";
import type { Outbound } from "@remit/platform/outbound";
import type { Database } from "@remit/platform/sql";
import {
  ChangeTrust,
  CreateTrust,
  idOf,
  TrustBody,
  TrustKindName,
  TrustPage,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { trustOf } from "./parse.ts";
import { type By, changeTrust, createTrust, removeTrust, type Trust, trustById, trustsOf } from "./trusts.ts";

type Deps = {
  readonly db: Database;
  readonly issuer: string;
  readonly outbound: Pick<Outbound, "check">;
};

const TrustPath = z.strictObject({ id: idOf("trust") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("trust").optional(),
  kind: TrustKindName.optional(),
});
const needs = { scope: "admin:orgs" } as const;
const limit = { count: 120, windowMs: minuteMs, by: "tenant" } as const;

/** How a tenant says whose word it takes for its agents. Every change counts at once, for issued tokens too. */
export const trustRoutes = (deps: Deps): Route[] => [
  createRoute(deps),
  listRoute(deps),
  readRoute(deps),
  changeRoute(deps),
  removeRoute(deps),
];

const byOf = (call: { readonly caller: Caller; readonly now: Instant }): By => ({
  actor: actorOf(call.caller),
  now: call.now,
});

const createRoute = (deps: Deps): Route =>
  route({
    method: "POST",
    path: "/api/v1/trusts",
    summary: "Take somebody's word for one of the tenant's agents",
    needs,
    limit,
    body: CreateTrust,
    answers: { 201: TrustBody, 400: ["invalid_request", "invalid_scope", "outbound_refused"] },
    handle: async (call, { body }) => {
      const wanted = await trustOf(deps, body);
      const work = deps.db.of(call.caller.tenant);
      const trust = await work.transaction((tx) => createTrust(tx, wanted, byOf(call)));
      return { status: 201, body: bodyOf(trust, call.now) };
    },
  });

const listRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/trusts",
    summary: "The tenant's trusts, newest first",
    needs,
    query: Page,
    answers: { 200: TrustPage },
    handle: async (call, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor, kind: query.kind };
      const found = await db.of(call.caller.tenant).transaction((tx) => trustsOf(tx, page));
      const shown = found.slice(0, query.limit);
      const next = found.length > query.limit ? shown.at(-1)?.id : undefined;
      const data = shown.map((trust) => bodyOf(trust, call.now));
      return { status: 200, body: { data, next_cursor: next ?? null } };
    },
  });

const readRoute = ({ db }: Deps): Route =>
  route({
    method: "GET",
    path: "/api/v1/trusts/:id",
    summary: "One trust",
    needs,
    params: TrustPath,
    answers: { 200: TrustBody, 404: "not_found" },
    handle: async (call, { params }) => {
      const trust = await db.of(call.caller.tenant).transaction((tx) => trustById(tx, params.id));
      return { status: 200, body: bodyOf(trust, call.now) };
    },
  });

const changeRoute = ({ db }: Deps): Route =>
  route({
    method: "PATCH",
    path: "/api/v1/trusts/:id",
    summary: "Rename a trust, suspend or resume it, or let it end at another time",
    needs,
    limit,
    params: TrustPath,
    body: ChangeTrust,
    answers: { 200: TrustBody, 404: "not_found" },
    handle: async (call, { params, body }) => {
      const { name, status, expires_at: at } = body;
      const expiresAt = typeof at === "string" ? fromRfc3339(at) : at;
      const change = { name, status, expiresAt, ...byOf(call) };
      const work = db.of(call.caller.tenant);
      const trust = await work.transaction((tx) => changeTrust(tx, params.id, change));
      return { status: 200, body: bodyOf(trust, call.now) };
    },
  });

const removeRoute = ({ db }: Deps): Route =>
  route({
    method: "DELETE",
    path: "/api/v1/trusts/:id",
    summary: "Remove a trust; its tokens end with it",
    needs,
    criticality: "critical",
    limit,
    params: TrustPath,
    answers: { 204: nothing, 404: "not_found" },
    handle: async (call, { params }) => {
      await db.of(call.caller.tenant).transaction((tx) => removeTrust(tx, params.id, byOf(call)));
      return { status: 204 };
    },
  });

const bodyOf = (trust: Trust, now: Instant): z.input<typeof TrustBody> => ({
  id: trust.id,
  name: trust.name,
  client_id: trust.client,
  status: trust.expiresAt !== undefined && now >= trust.expiresAt ? "expired" : trust.status,
  scopes: [...trust.scopes],
  bearer: trust.bearer,
  rules: { ...trust.rules },
  created_at: toRfc3339(trust.createdAt),
  expires_at: trust.expiresAt === undefined ? null : toRfc3339(trust.expiresAt),
});
