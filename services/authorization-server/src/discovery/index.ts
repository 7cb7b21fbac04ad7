export { didOfAgent, didOfServer, discoveryRoutes, securityTxt } from "./discovery.http.ts";
