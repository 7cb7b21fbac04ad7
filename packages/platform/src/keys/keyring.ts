import { createSecretKey, type KeyObject, randomBytes } from "node:crypto";
import { type Clock, invariant, minuteMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Tx } from "../sql/index.ts";
import { decrypt, encrypt } from "./envelope.ts";
import { derivedFrom, type Kek } from "./kek.ts";
import { insertDataKey, readDataKey, shredDataKey } from "./keys.sql.ts";
import { dataKeyAad } from "./places.ts";

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
  /** As `open`, with a key that this process used within the last minute, so without asking; undefined with another. */
  openRemembered(
    scope: string,
    message: { readonly sealed: Uint8Array; readonly aad: string },
  ): Uint8Array | undefined;
  /** As `seal`, with a key that this process used within the last minute, so without asking; undefined without one. */
  sealRemembered(
    scope: string,
    message: { readonly plaintext: Uint8Array; readonly aad: string },
  ): Uint8Array | undefined;
  /** Destroys the scope's key for ever. Other processes forget it within 60 s. */
  shred(tx: Tx, scope: string): Promise<void>;
  /** A secret of 32 bytes for one purpose, the same in every process of the installation (HKDF of the root secret). */
  derive(purpose: string): Uint8Array;
};

type Remembered = { readonly key: KeyObject; readonly untilNs: bigint };

const rememberMs = minuteMs;
const rememberedMax = 10_000;

export function createKeyring({ kek, clock }: { readonly kek: Kek; readonly clock: Clock }): Keyring {
  const keys = createMemory(clock);
  const known = async (tx: Tx, scope: string): Promise<KeyObject | null | undefined> => {
    const remembered = keys.get(scope);
    if (remembered !== undefined) return remembered;
    const row = await readDataKey(tx, scope);
    if (row === undefined) return undefined;
    const { wrapped, kek: by } = row;
    if (wrapped === null) return null;
    const key = createSecretKey(await kek.unwrap({ wrapped, kek: by, aad: dataKeyAad(scope) }));
    // A key that this very transaction made is gone again if it rolls back: nobody may remember it before the commit.
    tx.afterCommit(() => keys.set(scope, key));
    return key;
  };
  return {
    async seal(tx, scope, { plaintext, aad }) {
      let key = await known(tx, scope);
      if (key === undefined) {
        await addDataKey(tx, kek, scope);
        key = await known(tx, scope);
      }
      invariant(key !== undefined && key !== null, "nothing is sealed under a shredded scope");
      return encrypt(key, { plaintext, aad: `${scope}\n${aad}` });
    },
    async open(tx, scope, { sealed, aad }) {
      const key = await known(tx, scope);
      invariant(key !== undefined, "what is opened was sealed under a scope that has a key");
      return key === null ? undefined : decrypt(key, { sealed, aad: `${scope}\n${aad}` });
    },
    openRemembered(scope, { sealed, aad }) {
      const key = keys.get(scope);
      return key === undefined ? undefined : decrypt(key, { sealed, aad: `${scope}\n${aad}` });
    },
    sealRemembered(scope, { plaintext, aad }) {
      const key = keys.get(scope);
      return key === undefined ? undefined : encrypt(key, { plaintext, aad: `${scope}\n${aad}` });
    },
    async shred(tx, scope) {
      await shredDataKey(tx, scope, clock.now());
      keys.delete(scope);
      tx.afterCommit(() => keys.delete(scope));
    },
    derive: (purpose) => derivedFrom(kek.root, purpose),
  };
}

/** Writes a new key under the key that wraps now, which it then stays until the transaction has ended. */
async function addDataKey(tx: Tx, kek: Kek, scope: string): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    const wrapped = await kek.wrap({ plaintext: randomBytes(32), aad: dataKeyAad(scope) });
    if (await kek.holds(tx, wrapped.kek)) return void (await insertDataKey(tx, scope, wrapped));
    await kek.follow(tx);
  }
  throw new Problem("unavailable", { private: { because: "the key-encryption key changes too often" } });
}

type Memory = {
  get(scope: string): KeyObject | undefined;
  set(scope: string, key: KeyObject): void;
  delete(scope: string): void;
};

/** Keys of the scopes in use, bounded in number and in time: a scope shredded elsewhere must not live on here. */
function createMemory(clock: Clock): Memory {
  const kept = new Map<string, Remembered>();
  return {
    get(scope) {
      const found = kept.get(scope);
      if (found === undefined || found.untilNs > clock.monotonicNs()) return found?.key;
      kept.delete(scope);
      return undefined;
    },
    set(scope, key) {
      if (kept.size >= rememberedMax) kept.delete(kept.keys().next().value ?? "");
      kept.set(scope, { key, untilNs: clock.monotonicNs() + BigInt(rememberMs) * 1_000_000n });
    },
    delete: (scope) => void kept.delete(scope),
  };
}
