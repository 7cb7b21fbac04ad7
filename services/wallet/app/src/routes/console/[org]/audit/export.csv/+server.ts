import { csvOf } from "#lib/console/csv.ts";
import { organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const pagesMax = 10;

/** What the filter finds, oldest first; at most 10,000 entries. */
export const GET: RequestHandler = async (event) => {
  const api = organizationApi(event);
  const { url } = event;
  const filter = {
    action: wordIn(url, "action"),
    agentId: wordIn(url, "agent"),
    subject: wordIn(url, "subject"),
    fromDate: wordIn(url, "from"),
    toDate: wordIn(url, "to"),
  };
  const rows: string[][] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const found = await must(event, api.audit({ query: { ...filter, limit: "1000", cursor } }));
    for (const entry of found.data)
      rows.push([
        String(entry.seq),
        entry.ts,
        entry.event,
        entry.actor.type,
        entry.actor.id,
        String(entry["subject"] ?? ""),
        entry.entry_hash,
      ]);
    if (found.next_cursor === null) break;
    cursor = found.next_cursor;
  }
  return csvOf(
    ["seq", "at", "event", "actor_type", "actor", "subject", "entry_hash"],
    rows,
    "remit-audit.csv",
  );
};
