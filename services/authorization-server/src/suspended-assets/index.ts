export { suspendedAssetRoutes } from "./suspended-assets.http.ts";
export { isSuspended } from "./suspended-assets.sql.ts";

/** The table of this room, by the kind of protection it has. */
export const suspendedAssetTables = { suspended_assets: "global" } as const;
