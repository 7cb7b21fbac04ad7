import type { PublicJwk, SigningAlg } from "@remit/protocol";

/** A private key, wherever it lives: it signs, and that is all it does. */
export type Signer = {
  /** A raw signature: ES256 as r ‖ s (RFC 7518 §3.4), Ed25519 as its 64 bytes (RFC 8037 §3.1). */
  sign(data: Uint8Array): Uint8Array | Promise<Uint8Array>;
};

/** What the database keeps of a private key: ciphertext and the key-encryption key over it, or a name at the engine. */
export type KeptKey = { readonly wrapped: Uint8Array; readonly kek: string } | { readonly reference: string };

export type NewKey = { readonly jwk: PublicJwk & { readonly kid: string }; readonly kept: KeptKey };

export type StoredKey = {
  readonly purpose: string;
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly public_jwk: PublicJwk;
  readonly wrapped: Uint8Array | null;
  readonly kek: string | null;
  readonly reference: string | null;
};

/** Where private keys are made and kept. Every engine passes `test/signer-contract.ts`. */
export type SignerEngine = {
  /** Stands in the row of each key it made, and finds the engine again. */
  readonly name: string;
  /** Makes a key. Nobody may know it until its row is committed; one that is never committed is never used. */
  create(wanted: { readonly purpose: string; readonly alg: SigningAlg }): Promise<NewKey>;
  /** The signer of a key this engine made. Needs no call to the outside where the key is kept there. */
  open(key: StoredKey): Promise<Signer>;
};
