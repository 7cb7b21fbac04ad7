export {
  type Delegation,
  type DelegationState,
  delegate,
  delegationById,
  delegationTables,
  type Offered,
  pathTo,
  revokeDelegation,
  stateOf,
  type Wish,
} from "./delegations.ts";
export { tokenExchange, tokenTypes } from "./token-exchange.ts";
export { type DelegationVerdict, verifyDelegation } from "./verify.ts";
