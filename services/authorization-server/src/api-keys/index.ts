export { apiKeyRoutes } from "./api-keys.http.ts";
