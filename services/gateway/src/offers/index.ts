export { mergeShops } from "./merge.ts";
export {
  type CardWay,
  type ChainAsset,
  type DroppedWay,
  type Facilitator,
  type HealthCheck,
  type MandateWay,
  type Merchant,
  type Offers,
  type OpenRoute,
  type PaidRoute,
  type PaymentAccounts,
  type SaleRoute,
  type ServerProgram,
  type Shop,
  type StripeAccount,
  type Way,
  wayOf,
  type X402Way,
} from "./model.ts";
export { type OfferBook, openOfferBook, shopAt, watchedIn } from "./offers.ts";
export { merchantOf, OffersFileRefused } from "./offers-file.ts";
export { MerchantEntry, type RouteEntry } from "./offers-file-schema.ts";
export { type Target, targetOf, upstreamTarget } from "./paths.ts";
export { routeOf } from "./route-of.ts";
export { isGuarded, routeAt } from "./route-table.ts";
export { doClash, programOf, type ToolServer, toolServerAt } from "./tools.ts";
