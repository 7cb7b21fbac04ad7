export { complianceRoutes } from "./compliance.http.ts";
export { createCompliance } from "./compliance.ts";
