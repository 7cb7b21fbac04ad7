export { deliveryRoutes } from "./deliveries.http.ts";
export { deliveryJobs } from "./deliveries.jobs.ts";
export { deliveryTables } from "./deliveries.ts";
export type { Notice } from "./notices.ts";
