import { apiOf, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

export const load: PageServerLoad = async (event) => {
  const cursor = event.url.searchParams.get("cursor") ?? undefined;
  const approvals = await must(event, apiOf(event).approvals({ query: { limit: "50", cursor } }));
  return { approvals: approvals.data, next: approvals.next_cursor };
};
