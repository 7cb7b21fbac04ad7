export { type Kek, loadKek } from "./kek.ts";
export { createKeyring, type Keyring } from "./keyring.ts";
export {
  createSigningKeys,
  type KeyChange,
  type KeyPurpose,
  type PublishedKey,
  type SigningKeys,
  type SigningKeysOptions,
} from "./signing-keys.ts";
