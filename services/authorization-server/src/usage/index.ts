export { analyticsRoutes } from "./analytics.http.ts";
export { usageNow, usageOfMonth } from "./analytics.ts";
export { usageJobs } from "./usage.jobs.ts";

/** The tables of this room and their kind (the catalogue test compares). */
export const usageTables = {
  usage_quarters: "tenant",
  usage_agents: "tenant",
  usage_settings: "tenant",
  usage_metered: "global",
} as const;
