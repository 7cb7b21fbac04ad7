export { type Movement, movementsOf, type StrangeMovement } from "./balance.ts";
export { clientSecretOf } from "./confirmations.ts";
export {
  type BalanceSeen,
  balanceOf,
  type ConnectSeen,
  linkTo,
  makeAccount,
  type PayoutSeen,
  payoutsOf,
  readAccount,
} from "./connect.ts";
export { customerOf, deleteCustomer, knownCustomer } from "./customers.ts";
export { closeDispute, type DisputeSeen, readDispute, submitEvidence } from "./disputes.ts";
export type { News } from "./events.ts";
export { isUnsettled } from "./failures.ts";
export { type IssuedToken, issuedTokensAt } from "./issued-tokens.ts";
export {
  bookedOf,
  type OwnPayoutSeen,
  ownPayoutsOf,
  type PlanInvoice,
  planInvoicesOf,
  subscriptionOfInvoice,
} from "./plan-payments.ts";
export { type RefundSeen, readRefund } from "./refunds.ts";

export {
  confirmSetup,
  detachCard,
  type PreparedSetup,
  prepareSetup,
  readSetup,
  type Setup,
} from "./setups.ts";
export { stripeRoutes } from "./stripe.http.ts";
export {
  type CheckoutOrder,
  endSubscription,
  expireCheckout,
  findCheckout,
  openCheckout,
  readCheckout,
  readSubscription,
  resumeSubscription,
  type SubscriptionSeen,
  type TierPrice,
} from "./subscriptions.ts";
export { type TransferSeen, type TransfersAtStripe, transfersAt } from "./transfers.ts";
