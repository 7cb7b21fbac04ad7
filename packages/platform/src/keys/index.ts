export { createOnce, type Kek, kekOf, loadKek } from "./kek.ts";
export type { KeyChange, KeyPurpose, Revocation } from "./key-changes.ts";
export { publishMs } from "./key-states.ts";
export { createKeyring, type Keyring } from "./keyring.ts";
export type { KeyState } from "./keys.sql.ts";
export type { KeptKey, NewKey, Signer, SignerEngine, StoredKey } from "./signers.ts";
export {
  createSigningKeys,
  type KeyFacts,
  type PublishedKey,
  type SigningKeys,
  type SigningKeysOptions,
} from "./signing-keys.ts";
