export { apiDocumentOf } from "./api-document.ts";
export { discoveryDoor, resourcesRoute } from "./discovery.http.ts";
