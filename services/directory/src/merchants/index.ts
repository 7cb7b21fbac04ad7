export { merchantRoutes } from "./merchants.http.ts";
