import { hkdfSync, randomBytes } from "node:crypto";
import { type Clock, invariant, minuteMs } from "@remit/kernel";
import type { Tx } from "../sql/index.ts";
import { decrypt, encrypt } from "./envelope.ts";
import type { Kek } from "./kek.ts";
import { insertDataKey, readDataKey, shredDataKey } from "./keys.sql.ts";

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

type Remembered = { readonly key: Uint8Array; readonly until: number };

const rememberMs = minuteMs;
const rememberedMax = 10_000;

export function createKeyring({ kek, clock }: { readonly kek: Kek; readonly clock: Clock }): Keyring {
  const keys = createMemory(clock);
  const unwrap = (scope: string, wrapped: Uint8Array) =>
    decrypt(kek.key.reveal(), { sealed: wrapped, aad: wrapAad(scope) });
  const known = async (tx: Tx, scope: string): Promise<Uint8Array | null | undefined> => {
    const remembered = keys.get(scope);
    if (remembered !== undefined) return remembered;
    const wrapped = await readDataKey(tx, scope);
    if (wrapped === undefined || wrapped === null) return wrapped;
    const key = unwrap(scope, wrapped);
    // A key that this very transaction made is gone again if it rolls back: nobody may remember it before the commit.
    tx.afterCommit(() => keys.set(scope, key));
    return key;
  };
  return {
    async seal(tx, scope, { plaintext, aad }) {
      let key = await known(tx, scope);
      if (key === undefined) {
        await insertDataKey(
          tx,
          scope,
          encrypt(kek.key.reveal(), { plaintext: randomBytes(32), aad: wrapAad(scope) }),
        );
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
    async shred(tx, scope) {
      await shredDataKey(tx, scope, clock.now());
      keys.delete(scope);
      tx.afterCommit(() => keys.delete(scope));
    },
    derive: (purpose) => new Uint8Array(hkdfSync("sha256", kek.key.reveal(), "", `remit ${purpose}`, 32)),
  };
}

const wrapAad = (scope: string): string => `data key\n${scope}`;

type Memory = {
  get(scope: string): Uint8Array | undefined;
  set(scope: string, key: Uint8Array): void;
  delete(scope: string): void;
};

/** Keys of the scopes in use, bounded in number and in time: a scope shredded elsewhere must not live on here. */
function createMemory(clock: Clock): Memory {
  const kept = new Map<string, Remembered>();
  return {
    get(scope) {
      const found = kept.get(scope);
      if (found === undefined || found.until > clock.now()) return found?.key;
      kept.delete(scope);
      return undefined;
    },
    set(scope, key) {
      if (kept.size >= rememberedMax) kept.delete(kept.keys().next().value ?? "");
      kept.set(scope, { key, until: clock.now() + rememberMs });
    },
    delete: (scope) => void kept.delete(scope),
  };
}
