export {
  Problem,
  /** A refused offer: an `offer_…` code. */
  Problem as OfferVerifyError,
  /** A refused mandate: a `mandate_…` code. */
  Problem as MandateVerifyError,
} from "@remit/protocol";
export type { Page } from "./answers.ts";
export {
  type Books,
  type BooksOptions,
  createBooks,
  type MerchantBalance,
  type Payout,
  type PayoutAccount,
  type Statement,
  type StatementKind,
  type StatementLine,
  type StatementPeriod,
  type StatementTotal,
  type Sum,
} from "./books.ts";
export {
  type Charge,
  type ChargeRequest,
  createMerchant,
  type Merchant,
  type MerchantOptions,
  type Refund,
} from "./charges.ts";
export type { Dispute, DisputeSearch, DisputeStatus, Disputes } from "./disputes.ts";
export { type VerifiedMandate, type VerifyMandateOptions, verifyMandate } from "./mandates.ts";
export {
  type HeadersLike,
  type SignOfferOptions,
  signOffer,
  signOfferToken,
  type VerifiedOffer,
  type VerifyOfferOptions,
  verifyOffer,
} from "./offers.ts";
export {
  type AnswerStore,
  createAnswerMemory,
  createGatewayPaywall,
  createPaywall,
  type Entered,
  expressPaywall,
  type FastifyHooks,
  fastifyPaywall,
  type GatewayPaywallOptions,
  type HonoMiddleware,
  honoPaywall,
  type KeptPurchase,
  type NodeMiddleware,
  type Payer,
  type Paywall,
  type PaywallOptions,
  type Sale,
  type WebHandler,
  webPaywall,
} from "./paywall/index.ts";
export { fetchIssuerKeys, verifyReceipt } from "./receipts.ts";
export { createReplayMemory, type ReplayStore } from "./replays.ts";
export type { IncomingCall, NodeRequest } from "./requests.ts";
export {
  createResourceServer,
  type ResourceNeeds,
  type ResourceServer,
  type ResourceServerOptions,
  refusalOf,
  type VerifiedCall,
} from "./resource-server.ts";
export type { SecretKeys } from "./session.ts";
export {
  createStatusLists,
  type FetchedStatusList,
  fetchStatusList,
  type MandateState,
  type StatusListOptions,
  type StatusLists,
} from "./status-lists.ts";
export type { Fetch } from "./wire.ts";
