import { createHmac } from "node:crypto";
import { invariant, Secret } from "@remit/kernel";
import type { Sql } from "../sql/index.ts";
import { decrypt, encrypt } from "./envelope.ts";

/** One key-encryption key. `id` says which and reveals nothing of it: a local one's fingerprint, or a name at its keeper. */
export type KekEngine = {
  readonly id: string;
  wrap(message: { readonly plaintext: Uint8Array; readonly aad: string }): Promise<Uint8Array>;
  /** Another key, another aad or a changed byte is an InvariantViolation: we wrote what we read. */
  unwrap(message: { readonly wrapped: Uint8Array; readonly aad: string }): Promise<Uint8Array>;
};

/** What was wrapped, and by which key. `kek: null` stands for the installation's first. */
export type Wrapped = { readonly wrapped: Uint8Array; readonly kek: string | null };

/**
 * The key-encryption keys of one installation, as whoever wraps needs them: one wraps what is new, and each that
 * something is still under unwraps. `openKek` gives one that follows a rotation; `kekOf` one of a single key.
 */
export type Kek = {
  /** From which secrets are derived. It stays what it is when the key-encryption key is another one. */
  readonly root: Secret<Uint8Array>;
  wrap(message: {
    readonly plaintext: Uint8Array;
    readonly aad: string;
  }): Promise<{ readonly wrapped: Uint8Array; readonly kek: string }>;
  unwrap(message: Wrapped & { readonly aad: string }): Promise<Uint8Array>;
  /**
   * Keeps the key that wraps until the transaction ends; true when it is this one. Whoever writes a wrapped row asks
   * first, and wraps again when told no: else a row could come to be under a key that is being rotated away.
   */
  holds(tx: Sql, id: string): Promise<boolean>;
  /** Reads again which key wraps; in a transaction, by its handle. */
  follow(tx?: Sql): Promise<void>;
};

export const kekBytes = 32;

/** One from which secrets were derived directly, before there was a root secret: what they were derived from. */
export type LocalKek = KekEngine & { readonly root: Secret<Uint8Array> };

/** A key-encryption key from its 32 bytes. */
export function localKek(bytes: Uint8Array): LocalKek {
  invariant(bytes.length === kekBytes, "a key-encryption key has 32 bytes");
  const key = new Uint8Array(bytes);
  return {
    id: fingerprintOf(key),
    root: new Secret(rootOf(key)),
    wrap: async (message) => encrypt(key, message),
    unwrap: async ({ wrapped, aad }) => decrypt(key, { sealed: wrapped, aad }),
  };
}

const fingerprintOf = (key: Uint8Array): string =>
  createHmac("sha256", key).update("remit kek fingerprint").digest("base64url").slice(0, 22);

/**
 * HKDF-Extract with no salt (RFC 5869 §2.2). Secrets were once derived from the key-encryption key itself; this is the
 * half-way value of that derivation, which keeps them as they were and does not reveal the key.
 */
const rootOf = (key: Uint8Array): Uint8Array => createHmac("sha256", new Uint8Array(32)).update(key).digest();

/** HKDF-Expand for 32 bytes (RFC 5869 §2.3). */
export const derivedFrom = (root: Secret<Uint8Array>, purpose: string): Uint8Array =>
  new Uint8Array(createHmac("sha256", root.reveal()).update(`remit ${purpose}\u0001`).digest());

/** One key, from its 32 bytes, for ever: for tests. */
export function kekOf(bytes: Uint8Array): Kek {
  const engine = localKek(bytes);
  return {
    root: engine.root,
    wrap: async (message) => ({ wrapped: await engine.wrap(message), kek: engine.id }),
    unwrap: ({ wrapped, aad }) => engine.unwrap({ wrapped, aad }),
    holds: async () => true,
    follow: async () => undefined,
  };
}
