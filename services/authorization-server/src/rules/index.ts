export { type RulesDeps, rulesRoutes } from "./rules.http.ts";
export { asksAbove, assertUnblocked, type Rules, rulesOf } from "./rules.ts";

/** The tables of this room, by the kind of protection each has. */
export const ruleTables = { wallet_rules: "tenant" } as const;
