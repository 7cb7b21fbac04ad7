export { type Kek, type KekEngine, kekOf, type Wrapped } from "./kek.ts";
export { createOnce, eitherKek, type KekSource, kekFiles, kekIdsIn } from "./kek-files.ts";
export type { KeyChange, KeyPurpose, Revocation, Revoking } from "./key-changes.ts";
export { publishMs } from "./key-states.ts";
export { createKeyring, type Keyring } from "./keyring.ts";
export type { KeyState } from "./keys.sql.ts";
export { type OpenKeyring, type OpenKeyringOptions, openKeyring } from "./open-keyring.ts";
export type { KeptKey, NewKey, Signer, SignerEngine, StoredKey } from "./signers.ts";
export {
  createSigningKeys,
  type KeyFacts,
  type PublishedKey,
  type SigningKeys,
  type SigningKeysOptions,
} from "./signing-keys.ts";
