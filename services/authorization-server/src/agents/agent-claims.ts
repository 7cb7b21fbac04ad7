import type { Agent } from "./agents.ts";

/** What an ID token and `/agent-info` say of an agent, by the AgentIdP API's names. */
export const claimsOfAgent = (agent: Agent) => ({
  sub: agent.id,
  agent_id: agent.id,
  agent_type: agent.agentType,
  organization_id: agent.tenant,
  capabilities: [...agent.capabilities],
  deployment_env: agent.deploymentEnv,
  ...(agent.owner === undefined ? {} : { owner: agent.owner }),
});
