import { organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { OrganizationAnswer } from "../../../../../../../src/api/index.ts";
import { csvOf } from "../../../../../../../src/showing/index.ts";
import type { RequestHandler } from "./$types.ts";

const columns = ["seq", "at", "event", "actor_type", "actor", "subject", "entry_hash"] as const;

/** What the filter finds, oldest first. */
export const GET: RequestHandler = (event) => {
  const api = organizationApi(event);
  const { url } = event;
  const filter = {
    action: wordIn(url, "action"),
    agentId: wordIn(url, "agent"),
    subject: wordIn(url, "subject"),
    fromDate: wordIn(url, "from"),
    toDate: wordIn(url, "to"),
  };
  return csvOf(columns, "remit-audit.csv", async (cursor) => {
    const { data, next_cursor } = await must(
      event,
      api.audit({ query: { ...filter, limit: "1000", cursor } }),
    );
    return { rows: data.map(rowOf), next: next_cursor };
  });
};

const rowOf = (entry: OrganizationAnswer<"audit">["data"][number]): readonly string[] => [
  String(entry.seq),
  entry.ts,
  entry.event,
  entry.actor.type,
  entry.actor.id,
  String(entry["subject"] ?? ""),
  entry.entry_hash,
];
