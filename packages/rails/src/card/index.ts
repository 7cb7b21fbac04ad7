export { cardMinimum } from "@remit/kernel";
export { fromStripe, type StripeAmount, toStripe } from "./amounts.ts";
export { createCardEngine, type SavedCard } from "./card-engine.ts";
export type { Connect } from "./connect.ts";
export type { CardDeps } from "./intents.ts";
export { refundFailure } from "./refunds.ts";
export { openStripe, type StripeSettings } from "./stripe-client.ts";
export { createTokenEngine, type SharedToken, type TokenEngineDeps } from "./token-engine.ts";
