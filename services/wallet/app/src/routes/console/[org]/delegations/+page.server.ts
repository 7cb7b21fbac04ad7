import { treeOf } from "#lib/console/delegations.ts";
import { organizationApi } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const shownMax = 200;

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const [links, agents] = await Promise.all([
    must(event, api.delegations({ query: { limit: String(shownMax) } })),
    must(event, api.agents({ query: { limit: "100" } })),
  ]);
  const names: Record<string, string> = Object.fromEntries(
    agents.data.map(({ agentId, name }) => [agentId, name]),
  );
  return { picture: treeOf(links.data), links: links.data, names, more: links.nextCursor !== null };
};
