export { jwksRoute } from "./identity.http.ts";
