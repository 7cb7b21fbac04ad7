export { issueIdJag } from "./id-jag.ts";
export { jwtBearer } from "./jwt-bearer.ts";
export { trustRoutes } from "./trusts.http.ts";
export { type Trust, trustTables } from "./trusts.ts";
