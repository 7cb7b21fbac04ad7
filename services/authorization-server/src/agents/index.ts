export { agentRoutes } from "./agents.http.ts";
export {
  type Agent,
  type AgentStanding,
  type AgentStatus,
  agentById,
  changeStanding,
  registerAgent,
  standingOfAgent,
  tenantOfAgent,
} from "./agents.ts";
