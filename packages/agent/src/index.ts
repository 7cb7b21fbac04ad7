export { type Agent, type AgentOptions, createAgent } from "./agent.ts";
export {
  type AgentKey,
  AgentRefused,
  type Exchange,
  type Fetch,
  keyOf,
  keyOfPair,
  makeKeys,
  type Registration,
  type RegistrationRequest,
  registerAgent,
  registerKeys,
} from "./identity/index.ts";
export type {
  AskedMandate,
  DeviceMandate,
  DeviceWish,
  HeldMandate,
  MandateHandle,
  MandateStore,
  MandateWish,
  PendingMandate,
  PersonWish,
} from "./mandates/index.ts";
export type { OpenPurchase, Paid, PayingInit, PendingPurchase, SpendLimits } from "./paying/index.ts";
