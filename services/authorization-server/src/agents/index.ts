export { claimsOfAgent } from "./agent-claims.ts";
export { type AgentFilter, type AgentWindow, agentsOf, countAgents } from "./agent-list.ts";
export { type AgentReads, createAgentReads } from "./agent-reads.ts";
export {
  type Agent,
  type AgentKeys,
  type AgentProfile,
  type AgentStanding,
  type AgentStatus,
  type AgentToRegister,
  agentByEmail,
  agentById,
  agentTables,
  agentToChange,
  changeKeys,
  changeProfile,
  changeStanding,
  type KeyedAgent,
  keyed,
  type ProfileChange,
  registerAgent,
  registerAgents,
  standingOfAgent,
  standingsOfAgents,
  tenantOfAgent,
  unknownAgent,
  unsaid,
} from "./agents.ts";
