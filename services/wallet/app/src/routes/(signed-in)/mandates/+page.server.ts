import { agentsOf } from "#lib/agents.ts";
import { apiOf, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

/** What the person gave; with `from=all` what agents handed on as well, with a mandate's number what was handed on from that. */
export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const asked = event.url.searchParams;
  const from = asked.get("from") || "none";
  const cursor = asked.get("cursor") ?? undefined;
  const parent = from === "all" ? undefined : from;
  const mandates = await must(event, api.mandates({ query: { limit: "50", cursor, parent_id: parent } }));
  return {
    mandates: mandates.data,
    next: mandates.next_cursor,
    from,
    agents: await agentsOf(event, mandates.data),
  };
};
