export { issuedTokenRoutes } from "./exports.http.ts";
export { exportJobs, hintToken } from "./exports.jobs.ts";
export type { ExportDeps } from "./exports.ts";
