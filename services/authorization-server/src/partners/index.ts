export { partnerRoutes } from "./partners.http.ts";
export { partnerTables } from "./partners.ts";
