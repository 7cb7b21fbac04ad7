export { type OfferBook, openOfferBook, routeAt, shopAt } from "./offers.ts";
export {
  type Merchant,
  type Offers,
  type SaleRoute,
  type Shop,
} from "./offers-file.ts";
export { type Target, targetOf } from "./paths.ts";
