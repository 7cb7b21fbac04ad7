export { apiDocumentOf } from "./api-document.ts";
export { discoveryDoor, resourcesRoutes } from "./discovery.http.ts";
