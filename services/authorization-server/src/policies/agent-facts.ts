import { type Id, parseId } from "@remit/kernel";
import type { Database } from "@remit/platform/sql";
import { agentById } from "../agents/index.ts";
import type { AgentFacts, PolicyEngine, PolicyRequest } from "./port.ts";

/** Reads what policies may ask about agents, where one does. An agent of another tenant is one of which nothing is known. */
export async function withAgents(
  db: Database,
  engines: readonly PolicyEngine[],
  request: PolicyRequest,
): Promise<PolicyRequest> {
  if (!engines.some(({ looksAt }) => looksAt.agent)) return request;
  const { principal, resource, tenant } = request;
  const who = principal.type === "agent" ? parseId("agent", principal.id) : undefined;
  const what = resource.type === "Agent" ? parseId("agent", resource.id) : undefined;
  if (who === undefined && what === undefined) return request;
  const { ofWho, ofWhat } = await db.of(tenant).transaction(async (tx) => {
    const facts = async (id: Id<"agent"> | undefined): Promise<AgentFacts | undefined> => {
      const agent = id === undefined ? undefined : await agentById(tx, id);
      if (agent === undefined) return undefined;
      const { agentType, deploymentEnv, owner, status, isPublic, capabilities } = agent;
      return { agentType, deploymentEnv, owner, status, isPublic, capabilities };
    };
    return { ofWho: await facts(who), ofWhat: await facts(what) };
  });
  return {
    ...request,
    principal: { ...principal, ...(ofWho === undefined ? {} : { agent: ofWho }) },
    resource: { ...resource, ...(ofWhat === undefined ? {} : { agent: ofWhat }) },
  };
}
