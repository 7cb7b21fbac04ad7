export {
  type OpenPurchase,
  type Paid,
  type PayingDeps,
  type PayingInit,
  type PendingPurchase,
  payingFetch,
} from "./fetch.ts";
export { createSpending, type SpendLimits } from "./limits.ts";
export { type Pause, pause } from "./pause.ts";
export { createSellers } from "./sellers.ts";
