import { toRfc3339 } from "@remit/kernel";
import { type Call, type Route, route } from "@remit/platform/http";
import type { Database } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import { idOf, Timestamp } from "@remit/protocol/contracts";
import { z } from "zod";
import { type Agent, type AgentStatus, agentById, agentsOf, changeStanding } from "./agents.ts";

const AgentBody = z.object({
  id: idOf("agent"),
  name: z.string(),
  status: z.enum(["active", "suspended", "decommissioned"]),
  did: z.string(),
  dpop_thumbprint: z.string(),
  created_at: Timestamp,
});
const AgentPage = z.object({ data: z.array(AgentBody), next_cursor: z.string().nullable() });
const AgentPath = z.strictObject({ id: idOf("agent") });
const Page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(100).default(20),
  cursor: idOf("agent").optional(),
});

/** What the operator of a company's agents sees and does. Suspension counts at once, for issued tokens too. */
export function agentRoutes({ db, didOf }: { db: Database; didOf: (id: string) => string }): Route[] {
  const bodyOf = (agent: Agent): z.input<typeof AgentBody> => ({
    id: agent.id,
    name: agent.name,
    status: agent.status,
    did: didOf(agent.id),
    dpop_thumbprint: agent.dpopThumbprint,
    created_at: toRfc3339(agent.createdAt),
  });
  const change = (path: "suspend" | "reactivate", to: AgentStatus): Route =>
    route({
      method: "POST",
      path: `/api/v1/agents/:id/${path}`,
      summary: path === "suspend" ? "Stop an agent at once" : "Let a suspended agent act again",
      needs: { scope: "agents:write", bearer: true },
      params: AgentPath,
      answers: { 200: AgentBody, 404: "not_found", 409: "agent_decommissioned" },
      handle: async (call, { params }) => {
        const by = { type: "client", id: call.caller.client } as const;
        const work = db.of(call.caller.tenant);
        const agent = await work.transaction((tx) =>
          changeStanding(tx, params.id, { to, by, now: call.now }),
        );
        return { status: 200, body: bodyOf(agent) };
      },
    });
  return [
    listRoute(db, bodyOf),
    readRoute(db, bodyOf),
    change("suspend", "suspended"),
    change("reactivate", "active"),
  ];
}

type BodyOf = (agent: Agent) => z.input<typeof AgentBody>;

const listRoute = (db: Database, bodyOf: BodyOf): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents",
    summary: "The tenant's agents, newest first",
    needs: { scope: "agents:read", bearer: true },
    query: Page,
    answers: { 200: AgentPage },
    handle: async (call, { query }) => {
      const page = { limit: query.limit + 1, before: query.cursor };
      const found = await db.of(call.caller.tenant).transaction((tx) => agentsOf(tx, page));
      const shown = found.slice(0, query.limit);
      const more = found.length > query.limit;
      return {
        status: 200,
        body: { data: shown.map(bodyOf), next_cursor: (more && shown.at(-1)?.id) || null },
      };
    },
  });

const readRoute = (db: Database, bodyOf: BodyOf): Route =>
  route({
    method: "GET",
    path: "/api/v1/agents/:id",
    summary: "One agent",
    needs: { scope: "agents:read", bearer: true },
    params: AgentPath,
    answers: { 200: AgentBody, 404: "not_found" },
    handle: async (call, { params }) => ({ status: 200, body: bodyOf(await agentFor(db, call, params.id)) }),
  });

async function agentFor(db: Database, call: Required<Pick<Call, "caller">>, id: Agent["id"]): Promise<Agent> {
  const agent = await db.of(call.caller.tenant).transaction((tx) => agentById(tx, id));
  if (agent === undefined) throw new Problem("not_found", { detail: "There is no such agent." });
  return agent;
}
