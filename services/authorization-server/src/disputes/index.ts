export { disputeRoutes } from "./disputes.http.ts";
export { disputeJobs, hearDispute } from "./disputes.jobs.ts";
export type { DisputesDeps } from "./disputes.operations.ts";
export { createDisputeNetwork } from "./network.ts";
export { walletDisputeRoutes } from "./wallet-disputes.http.ts";

/** The tables of this room, by the kind of protection each has. */
export const disputeTables = { disputes: "tenant" } as const;
