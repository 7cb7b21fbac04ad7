export { type DelegationDeps, delegationRoutes } from "./delegations.http.ts";
export { delegationJobs } from "./delegations.jobs.ts";
export {
  type Delegation,
  type DelegationState,
  delegationTables,
  type Offered,
  pathTo,
  revokeDelegation,
  stateOf,
  type Wish,
} from "./delegations.ts";
export { tokenExchange, tokenTypes } from "./token-exchange.ts";
