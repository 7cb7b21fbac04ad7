export { spendingRoutes } from "./spending.http.ts";
export { countSpending } from "./spending.sql.ts";

/** The tables of this room, by the kind of protection each has. */
export const spendingTables = { wallet_settings: "tenant", spending_days: "tenant" } as const;
