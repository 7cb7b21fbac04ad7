import { organizationApi } from "#lib/console/server.ts";
import { maybe, must } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const looked = 20;

export const load: PageServerLoad = async (event) => {
  const api = organizationApi(event);
  const agents = await must(event, api.agents({ query: { limit: "100", status: "active" } }));
  const open = agents.data.filter(({ isPublic }) => isPublic);
  const shown = open.slice(0, looked);
  const listings = await Promise.all(
    shown.map(({ agentId }) => maybe(event, api.listing({ params: { id: agentId } }))),
  );
  return {
    agents: shown.map(({ agentId, name, agentType, capabilities, did }, index) => ({
      id: agentId,
      name,
      agentType,
      capabilities,
      did,
      since: listings[index]?.publishedAt,
    })),
    closed: agents.data.length - open.length,
    issuer: event.locals.platform.issuer,
  };
};
