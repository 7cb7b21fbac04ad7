export { type ClientDocuments, createClientDocuments, isDocumentId } from "./documents.ts";
export { registrationRoutes } from "./registration.http.ts";
