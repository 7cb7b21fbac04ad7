export { credentialTypeRoutes, securityTxt } from "./discovery.http.ts";
