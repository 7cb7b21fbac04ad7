export { cardMinimum, fromStripe, type StripeAmount, toStripe } from "./amounts.ts";
export { type CardEngineDeps, createCardEngine } from "./card-engine.ts";
export { openStripe, type StripeSettings } from "./stripe-client.ts";
