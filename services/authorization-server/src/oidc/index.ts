export { adapterFor } from "./adapter.ts";
export { type CoreDeps, interactionPath } from "./configuration.ts";
export { type Core, createCore } from "./core.ts";
export {
  type CustomGrant,
  type GrantAnswer,
  type GrantCall,
  type GrantClient,
  jwtBearerGrant,
  type Target,
  tokenExchangeGrant,
} from "./custom-grants.ts";
export {
  type Asked,
  type Consent,
  createInteractions,
  type Interactions,
  type IssuePort,
} from "./interactions.ts";
export { createRepeats, type Repeats } from "./repeats.ts";
