export {
  type Agent,
  agentById,
  agentsOf,
  type AgentStanding,
  type AgentStatus,
  changeStanding,
  registerAgent,
  standingOfAgent,
  tenantOfAgent,
} from "./agents.ts";
export { agentRoutes } from "./agents.http.ts";
