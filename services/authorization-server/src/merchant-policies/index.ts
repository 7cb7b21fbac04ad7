export { merchantPolicyRoutes } from "./merchant-policies.http.ts";
export { assertAccepted, type Policy, policyFor } from "./merchant-policies.ts";

/** The tables of this room, by the kind of protection each has. */
export const merchantPolicyTables = { merchant_policies: "tenant" } as const;
