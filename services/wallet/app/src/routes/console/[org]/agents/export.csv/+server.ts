import { environments, kinds, standings } from "#lib/console/agents.ts";
import { oneOf, organizationApi, wordIn } from "#lib/console/server.ts";
import { must } from "#lib/server-side.ts";
import type { OrganizationAnswer } from "../../../../../../../src/api/index.ts";
import { csvOf } from "../../../../../../../src/showing/index.ts";
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

/** Every agent that the filter finds. */
export const GET: RequestHandler = (event) => {
  const api = organizationApi(event);
  const { url } = event;
  const filter = {
    text: wordIn(url, "text"),
    status: oneOf(url, "status", standings),
    agentType: oneOf(url, "type", kinds),
    deploymentEnv: oneOf(url, "env", environments),
    capability: wordIn(url, "capability"),
  };
  return csvOf(columns, "remit-agents.csv", async (cursor) => {
    const { data, nextCursor } = await must(
      event,
      api.agents({ query: { ...filter, limit: "100", cursor } }),
    );
    return { rows: data.map(rowOf), next: nextCursor };
  });
};

const rowOf = (agent: OrganizationAnswer<"agents">["data"][number]): readonly string[] => [
  agent.agentId,
  agent.name,
  agent.agentType,
  agent.version,
  agent.deploymentEnv,
  agent.owner ?? "",
  agent.status,
  String(agent.isPublic),
  agent.createdAt,
  agent.updatedAt,
];
