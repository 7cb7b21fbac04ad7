export { findAnvil } from "./anvil.ts";
export {
  type ChainOptions,
  type SandboxChain,
  sandboxAddresses,
  sandboxKeys,
  sandboxTokens,
  startChain,
} from "./chain.ts";
