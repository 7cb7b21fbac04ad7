import { fromRfc3339, type Instant, minuteMs, toRfc3339 } from "@remit/kernel";
import { type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import {
  idOf,
  type RequestBody,
  RequestPage,
  RequestQuery,
  RequestWithEntries,
} from "@remit/protocol/contracts";
import { z } from "zod";
import type { FoundRow } from "./requests.sql.ts";
import { requestById, requestsOf } from "./requests.ts";

const needs = { scope: "audit:read", bearer: true } as const;
const limit = { count: 600, windowMs: minuteMs, by: "tenant" } as const;
const RequestPath = z.strictObject({ id: idOf("request") });

/** What was asked of this API in the organization's name, and what came of it. */
export const requestRoutes = (deps: { readonly db: Database }): Route[] => [listRoute(deps), readRoute(deps)];

const listRoute = ({ db }: { readonly db: Database }): Route =>
  route({
    method: "GET",
    path: "/api/v1/requests",
    summary: "The organization's calls of this API in the last 30 days, newest first",
    needs,
    limit,
    query: RequestQuery,
    answers: { 200: RequestPage },
    handle: async ({ caller }, { query }) => {
      const { status, actor, problem, method, via } = query;
      const filter = {
        before: query.cursor,
        limit: query.limit + 1,
        status: status === undefined ? undefined : statusRange(status),
        actor,
        problem,
        method,
        via,
        from: instantIn(query.from),
        until: instantIn(query.before),
      };
      const found = await db.of(caller.tenant).transaction((tx) => requestsOf(tx, filter));
      const data = found.slice(0, query.limit).map(bodyOf);
      const next_cursor = found.length > query.limit ? (data.at(-1)?.id ?? null) : null;
      return { status: 200, body: { data, next_cursor } };
    },
  });

const readRoute = ({ db }: { readonly db: Database }): Route =>
  route({
    method: "GET",
    path: "/api/v1/requests/:id",
    summary: "One call, with the entries that it left in the organization's audit log",
    needs,
    limit,
    params: RequestPath,
    answers: { 200: RequestWithEntries, 404: "not_found" },
    handle: async ({ caller }, { params }) => {
      const found = await db.of(caller.tenant).transaction((tx) => requestById(tx, params.id));
      if (found === undefined) throw new Problem("not_found", { detail: "There is no such request." });
      const entries = found.entries.map(({ at, ...entry }) => ({ ...entry, at: toRfc3339(at) }));
      return { status: 200, body: { ...bodyOf(found.request), entries } };
    },
  });

const statusRange = (status: string): readonly [number, number] => [
  Number(status.replaceAll("x", "0")),
  Number(status.replaceAll("x", "9")),
];

const instantIn = (text: string | undefined): Instant | undefined =>
  text === undefined ? undefined : fromRfc3339(text);

const bodyOf = (row: FoundRow): z.input<typeof RequestBody> => ({
  id: row.id,
  at: toRfc3339(row.at),
  client_id: row.client,
  actor: { type: row.actor_type, id: row.actor },
  method: row.method,
  route: row.route,
  path: row.path,
  status: row.status,
  problem: row.problem,
  latency_ms: row.latency_us / 1000,
});
