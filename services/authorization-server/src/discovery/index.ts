export { didOfAgent } from "./did.ts";
export { discoveryRoutes, securityTxt } from "./discovery.http.ts";
