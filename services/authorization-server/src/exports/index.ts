export { exportRoutes } from "./exports.http.ts";
export { exportJobs } from "./exports.jobs.ts";
export { lateUsesMs } from "./exports.ts";
export { revokeAtBilling } from "./issuer.ts";
export { endExport, revokeExportsOf, stopExport } from "./uses.ts";

/** The tables of this room, by the kind of protection each has. */
export const exportTables = { exports: "tenant", export_uses: "tenant", export_mandates: "tenant" } as const;
