export { applicationOf } from "./application.ts";
export { type AskedMetadata, readAsked } from "./asked.ts";
export { registrationRoutes } from "./registration.http.ts";
