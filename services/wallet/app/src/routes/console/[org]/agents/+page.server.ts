import { environments, kinds, standings } from "#lib/console/agents.ts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must, viewsOf } from "#lib/server-side.ts";
import type { PageServerLoad } from "./$types.ts";

const length = 50;
const pagesMax = 1_000;

export const load: PageServerLoad = async (event) => {
  const { url } = event;
  const filter = {
    text: wordIn(url, "text"),
    status: oneOf(url, "status", standings),
    agentType: oneOf(url, "type", kinds),
    deploymentEnv: oneOf(url, "env", environments),
    capability: wordIn(url, "capability"),
  };
  const page = Math.min(pagesMax, Math.max(1, Math.trunc(Number(url.searchParams.get("page"))) || 1));
  const query = { ...filter, limit: String(length), page: String(page) };
  const [agents, views] = await Promise.all([
    must(event, organizationApi(event).agents({ query })),
    viewsOf(event),
  ]);
  return {
    // A page of fifty with their keys and scopes would be five times as long.
    rows: agents.data.map(
      ({ agentId: id, name, agentType, deploymentEnv, owner, status, version, updatedAt }) => ({
        id,
        name,
        agentType,
        deploymentEnv,
        owner,
        status,
        version,
        updatedAt,
      }),
    ),
    total: agents.total ?? 0,
    page,
    length,
    filter,
    views,
  };
};
