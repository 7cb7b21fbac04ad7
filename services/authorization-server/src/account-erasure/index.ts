export { accountErasureRoutes } from "./erasing.http.ts";
