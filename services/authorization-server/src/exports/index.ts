export { exportRoutes } from "./exports.http.ts";

/** The tables of this room, by the kind of protection each has. */
export const exportTables = { exports: "tenant", export_uses: "tenant" } as const;
