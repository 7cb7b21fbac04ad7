export {
  createVault,
  type Vault,
  type VaultAnswer,
  type VaultRequest,
  type VaultSwitches,
  vaultCredentials,
} from "./vault.ts";
