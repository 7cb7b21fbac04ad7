import { environments, kinds, standings } from "#lib/console/agents.ts";
import { csvOf } from "#lib/console/csv.ts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { RequestHandler } from "./$types.ts";

const columns = [
  "id",
  "name",
  "type",
  "version",
  "environment",
  "owner",
  "status",
  "public",
  "created_at",
  "updated_at",
];
const pagesMax = 200;

/** Every agent that the filter finds; at most 20,000. */
export const GET: RequestHandler = async (event) => {
  const api = organizationApi(event);
  const { url } = event;
  const filter = {
    text: wordIn(url, "text"),
    status: oneOf(url, "status", standings),
    agentType: oneOf(url, "type", kinds),
    deploymentEnv: oneOf(url, "env", environments),
    capability: wordIn(url, "capability"),
  };
  const rows: string[][] = [];
  let cursor: string | undefined;
  for (let page = 0; page < pagesMax; page++) {
    const found = await must(event, api.agents({ query: { ...filter, limit: "100", cursor } }));
    for (const {
      agentId,
      name,
      agentType,
      version,
      deploymentEnv,
      owner,
      status,
      isPublic,
      createdAt,
      updatedAt,
    } of found.data)
      rows.push([
        agentId,
        name,
        agentType,
        version,
        deploymentEnv,
        owner ?? "",
        status,
        String(isPublic),
        createdAt,
        updatedAt,
      ]);
    if (found.nextCursor === null) break;
    cursor = found.nextCursor;
  }
  return csvOf(columns, rows, "remit-agents.csv");
};
