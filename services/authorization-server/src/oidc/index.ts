export { adapterFor } from "./adapter.ts";
export { type CoreDeps, interactionPath } from "./configuration.ts";
export { type Core, createCore } from "./core.ts";
export {
  type Asked,
  type Consent,
  createInteractions,
  type Interactions,
  type IssuePort,
  type SignInAsked,
} from "./interactions.ts";
export { createRepeats, type Repeats } from "./repeats.ts";
export { reaches, type Wanted } from "./sign-in-policy.ts";
