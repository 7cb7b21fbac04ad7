export {
  findAnvil,
  type SandboxChain,
  sandboxAddresses,
  sandboxKeys,
  sandboxTokens,
  startChain,
} from "./chain/index.ts";
export { kmsCredentials } from "./kms/index.ts";
export { createSandbox, type Sandbox, type SandboxOptions } from "./sandbox.ts";
export { vaultCredentials } from "./vault/index.ts";
