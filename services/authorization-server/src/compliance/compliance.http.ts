import { type Id, minuteMs, parseId, toRfc3339 } from "@remit/kernel";
import type { Cursors } from "@remit/platform/cursors";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import {
  AccessReview,
  ComplianceAgentCards,
  ComplianceControls,
  ComplianceQuery,
  ComplianceReport,
  ReviewQuery,
} from "@remit/protocol/contracts";
import { z } from "zod";
import { agentsOf } from "../agents/index.ts";
import { csvOf } from "../csv/index.ts";
import { type Access, accessOf, type Compliance } from "./compliance.ts";

export type ComplianceRoutesDeps = {
  readonly db: Database;
  readonly compliance: Compliance;
  readonly cursors: Cursors;
  readonly issuer: string;
  readonly didOf: (id: Id<"agent">) => string;
};

const needs = { scope: "audit:read", bearer: true } as const;
const limit = { count: 60, windowMs: minuteMs, by: "tenant" } as const;

/** What an auditor asks for. Nothing here is stated: it is counted when it is asked, or a moment before. */
export const complianceRoutes = (deps: ComplianceRoutesDeps): Route[] => [
  controlsRoute(deps),
  reportRoute(deps),
  cardsRoute(deps),
  reviewRoute(deps),
];

const controlsRoute = ({ compliance }: ComplianceRoutesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/compliance/controls",
    summary: "SOC 2 controls of the installation, with what was found a minute ago at most",
    needs: "public",
    limit,
    answers: { 200: ComplianceControls },
    handle: async () => ({
      status: 200,
      headers: { "cache-control": "public, max-age=60" },
      body: { controls: await compliance.controls() },
    }),
  });

const reportRoute = ({ compliance }: ComplianceRoutesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/compliance/report",
    summary: "The AGNTCY report on the organization, at most five minutes old",
    needs,
    limit,
    answers: { 200: ComplianceReport },
    handle: async ({ caller }) => ({
      status: 200,
      headers: { "cache-control": "private, max-age=300" },
      body: await compliance.report(caller.tenant),
    }),
  });

const linkTo = (path: string, query: Readonly<Record<string, string>>): { link: string } => ({
  link: `<${path}?${new URLSearchParams(query).toString()}>; rel="next"`,
});

const cardsRoute = ({ db, cursors, didOf, issuer }: ComplianceRoutesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/compliance/agent-cards",
    summary: "The organization's agents that are not retired, for export; the Link header leads on",
    needs,
    limit,
    query: ComplianceQuery,
    answers: { 200: ComplianceAgentCards, 400: "cursor_invalid" },
    handle: async ({ caller }, { query }) => {
      const bound = { list: "agent-cards", tenant: caller.tenant };
      const before =
        query.cursor === undefined ? undefined : parseId("agent", cursors.read(bound, query.cursor));
      const window = { limit: query.limit + 1, before, offset: 0 };
      const found = await db.of(caller.tenant).transaction((tx) => agentsOf(tx, {}, window));
      const shown = found.slice(0, query.limit);
      const last = found.length > query.limit ? shown.at(-1) : undefined;
      const cards = shown
        .filter(({ status }) => status !== "decommissioned")
        .map((agent) => ({
          did: didOf(agent.id),
          name: agent.email ?? agent.name,
          agentType: agent.agentType,
          capabilities: [...agent.capabilities],
          owner: agent.owner ?? null,
          version: agent.version,
          deploymentEnv: agent.deploymentEnv,
          identityProvider: issuer,
          issuedAt: toRfc3339(agent.createdAt),
        }));
      const on = { limit: String(query.limit) };
      const headers =
        last && linkTo("/api/v1/compliance/agent-cards", { ...on, cursor: cursors.make(bound, last.id) });
      return { status: 200, ...(headers && { headers }), body: cards };
    },
  });

const reviewRoute = ({ db, cursors }: ComplianceRoutesDeps): Route =>
  route({
    method: "GET",
    path: "/api/v1/compliance/access-review",
    summary:
      "Who and what has access: members, clients, agents, credentials with their last use; as JSON or CSV",
    needs,
    limit,
    query: ReviewQuery,
    types: ["application/json", "text/csv"],
    answers: { 200: z.union([AccessReview, z.string()]), 400: "cursor_invalid" },
    handle: async ({ caller, now }, { query }) => {
      const bound = { list: "access-review", tenant: caller.tenant };
      const after = query.cursor === undefined ? "" : cursors.read(bound, query.cursor);
      const { found, next } = await accessOf(db, caller.tenant, { now, after, limit: query.limit });
      const nextCursor = next === undefined ? null : cursors.make(bound, next);
      const on = { format: query.format, limit: String(query.limit) };
      const headers =
        nextCursor === null ? {} : linkTo("/api/v1/compliance/access-review", { ...on, cursor: nextCursor });
      const data = found.map(bodyOf);
      if (query.format === "json") return { status: 200, headers, body: { data, nextCursor } };
      const typed = { ...headers, "content-type": "text/csv; charset=utf-8; header=present" };
      return { status: 200, headers: typed, body: csvOf(columns, data) };
    },
  });

const bodyOf = ({ kind, id, of, role, scopes, status, ...times }: Access) => ({
  kind,
  id,
  of,
  role,
  scopes: scopes ?? [],
  status,
  createdAt: toRfc3339(times.created_at),
  expiresAt: times.expires_at === null ? null : toRfc3339(times.expires_at),
  lastUsedAt: times.last_used_at === null ? null : toRfc3339(times.last_used_at),
});

const columns = [
  "kind",
  "id",
  "of",
  "role",
  "scopes",
  "status",
  "createdAt",
  "expiresAt",
  "lastUsedAt",
] as const;
