export { agentInfoRoute } from "./agent-info.http.ts";
export { type FleetDeps, fleetRoutes } from "./fleet.http.ts";
export { fleetJobs } from "./fleet.jobs.ts";
export { createRegistrations } from "./registrations.ts";
