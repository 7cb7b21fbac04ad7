export { createCursors } from "./cursor.ts";
export { merchantRoutes } from "./merchants.http.ts";
