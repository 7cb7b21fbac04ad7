import { apiOf, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const api = apiOf(event);
  const cursor = event.url.searchParams.get("cursor") ?? undefined;
  const [mandates, agents] = await Promise.all([
    must(event, api.mandates({ query: { limit: "50", cursor } })),
    must(event, api.agents({ query: { limit: "100" } })),
  ]);
  return { mandates: mandates.data, next: mandates.next_cursor, agents: agents.data };
};
