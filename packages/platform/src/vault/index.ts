export { rawOfDer } from "./der.ts";
export { openVault, type Vault, type VaultLogin, type VaultOptions } from "./vault.ts";
export { type VaultKekOptions, vaultKek } from "./vault-kek.ts";
export { type VaultSecrets, type VaultSecretsOptions, vaultSecrets } from "./vault-secrets.ts";
export { type VaultSignersOptions, vaultSigners } from "./vault-signers.ts";
