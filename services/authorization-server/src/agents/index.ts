export { agentRoutes } from "./agents.http.ts";
export {
  type Agent,
  type AgentStanding,
  type AgentStatus,
  agentById,
  agentsOf,
  changeStanding,
  registerAgent,
  standingOfAgent,
  tenantOfAgent,
} from "./agents.ts";
