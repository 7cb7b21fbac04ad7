import type { Clock } from "@remit/kernel";
import type { Tx } from "../sql/index.ts";
import type { Kek } from "./kek.ts";

/** Envelope encryption: one data key per scope, itself encrypted under the KEK, destroyed by `shred`. */
export type Keyring = {
  /** AES-256-GCM under the scope's key, made on first use. `aad` names the row, so that ciphertexts cannot be swapped. */
  seal(
    tx: Tx,
    scope: string,
    message: { readonly plaintext: Uint8Array; readonly aad: string },
  ): Promise<Uint8Array>;
  /** Undefined once the scope has been shredded; a wrong scope, aad or byte is an InvariantViolation. */
  open(
    tx: Tx,
    scope: string,
    message: { readonly sealed: Uint8Array; readonly aad: string },
  ): Promise<Uint8Array | undefined>;
  /** Destroys the scope's key for ever. Other processes forget it within 60 s. */
  shred(tx: Tx, scope: string): Promise<void>;
  /** A secret of 32 bytes for one purpose, the same in every process of the installation (HKDF of the KEK). */
  derive(purpose: string): Uint8Array;
};

export declare function createKeyring(options: { readonly kek: Kek; readonly clock: Clock }): Keyring;
