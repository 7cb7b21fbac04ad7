export {
  type Account,
  type AccountDeps,
  type ApiRequest,
  createAccount,
  type Outcome,
  type SeenRequest,
} from "./account.ts";
export { StripeRefusal } from "./refusal.ts";
export type { Event, PaymentIntent, WebhookEndpoint } from "./resources.ts";
export { createDeliveries, type Deliveries, type Send, signatureOf, wants } from "./webhooks.ts";
