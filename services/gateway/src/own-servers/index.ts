export { ownServerRoutes } from "./own-servers.http.ts";
