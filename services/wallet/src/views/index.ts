export { forgetViews } from "./views.sql.ts";
export { createViews, type PersonViews, type View, type Views } from "./views.ts";

/** The table of this room: ids, digests and ciphertext. */
export const viewTables = { saved_views: "global" } as const;
