export { createOnce, type Kek, kekOf, loadKek } from "./kek.ts";
export { createKeyring, type Keyring } from "./keyring.ts";
export type { KeyState } from "./keys.sql.ts";
export {
  createSigningKeys,
  type KeyChange,
  type KeyPurpose,
  type PublishedKey,
  type SigningKeys,
  type SigningKeysOptions,
} from "./signing-keys.ts";
