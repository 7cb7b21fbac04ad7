import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import { csvOf } from "../../../../../../../src/showing/index.ts";
import { filterIn } from "../filter.ts";
import type { RequestHandler } from "./$types.ts";

const columns = [
  "request",
  "at",
  "method",
  "path",
  "status",
  "problem",
  "actor_type",
  "actor",
  "client",
  "latency_ms",
] as const;

/** What the filter finds, newest first. */
export const GET: RequestHandler = (event) => {
  const api = organizationApi(event);
  const filter = filterIn(event.url);
  return csvOf(columns, "remit-requests.csv", async (cursor) => {
    const found = await must(event, api.requests({ query: { ...filter, cursor, limit: "200" } }));
    const rows = found.data.map((one) => [
      one.id,
      one.at,
      one.method,
      one.path,
      String(one.status),
      one.problem ?? "",
      one.actor.type,
      one.actor.id,
      one.client_id,
      String(one.latency_ms),
    ]);
    return { rows, next: found.next_cursor };
  });
};
