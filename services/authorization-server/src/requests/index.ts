export { requestRoutes } from "./requests.http.ts";
export { requestJobs } from "./requests.jobs.ts";
export { createRequestLog, lastUsesOf, type RequestLog } from "./requests.ts";

/** The tables of this room and their kind (the catalogue test compares). */
export const requestTables = { api_requests: "tenant", client_uses: "tenant" } as const;
