import type { DeliveryBody } from "@remit/protocol/contracts";
import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import { csvOf } from "../../../../../../../../src/showing/index.ts";
import type { RequestHandler } from "./$types.ts";

const columns = [
  "id",
  "created_at",
  "event",
  "event_id",
  "status",
  "attempts",
  "response_status",
  "error",
  "next_attempt_at",
  "ended_at",
];

/** Everything that was sent to a webhook, newest first. */
export const GET: RequestHandler = (event) => {
  const api = organizationApi(event);
  const params = { id: event.params.id };
  return csvOf(columns, "remit-deliveries.csv", async (cursor) => {
    const { data, next_cursor: next } = await must(
      event,
      api.deliveries({ params, query: { limit: "100", cursor } }),
    );
    return { rows: data.map(rowOf), next };
  });
};

const rowOf = (one: DeliveryBody): readonly string[] => [
  one.id,
  one.created_at,
  one.type,
  one.event_id,
  one.status,
  String(one.attempts),
  one.response_status === null ? "" : String(one.response_status),
  one.error ?? "",
  one.next_attempt_at ?? "",
  one.ended_at ?? "",
];
