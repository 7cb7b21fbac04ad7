export { type AnswerStore, createAnswerMemory, type KeptPurchase } from "./answers.ts";
export { expressPaywall, type NodeMiddleware } from "./express.ts";
export { type FastifyHooks, fastifyPaywall } from "./fastify.ts";
export { createGatewayPaywall, type GatewayPaywallOptions } from "./gateway.ts";
export {
  createPaywall,
  type Entered,
  type Payer,
  type Paywall,
  type PaywallOptions,
  type Sale,
} from "./paywall.ts";
export { type HonoMiddleware, honoPaywall, type WebHandler, webPaywall } from "./web.ts";
