export { deliveryRoutes } from "./deliveries.http.ts";
export { deliveryJobs } from "./deliveries.jobs.ts";
export { type Answer, type Chance, deliveryTables, evenChance, retryAfterOf } from "./deliveries.ts";
export type { Notice } from "./notices.ts";
export { send } from "./send.ts";
