export {
  type ChargeApi,
  type ChargeOutcome,
  type Charging,
  createCharging,
  type Digests,
  type Order,
} from "./charging.ts";
export { partOf } from "./engine-rail.ts";
export { createEngines } from "./engines.ts";
export type { Ids, Outcome, Rail, Resource } from "./rail.ts";
export { createRails, type Engines, type Rails, type SignedSource, type TokenSource } from "./rails.ts";
