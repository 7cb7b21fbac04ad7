import { after, type Clock, type Instant, invariant } from "@remit/kernel";
import { Problem, type PublicJwk } from "@remit/protocol";
import type { Database, GlobalTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import type { Kek } from "./kek.ts";
import { changesDue, publishMs, revoked, rotationDue, signerOf } from "./key-states.ts";
import {
  insertSigningKey,
  type KeyState,
  lockSigningKeys,
  purposeOfKey,
  readSigningKeys,
  type SigningKeyRow,
  saveSigningKey,
} from "./keys.sql.ts";
import type { NewKey, SignerEngine } from "./signers.ts";

export type KeyPurpose = {
  readonly purpose: string;
  readonly alg: "ES256" | "EdDSA";
  /** Signatures that must verify for ever (receipts, mandates, audit): `publicKeys` never drops such a key. */
  readonly evidence?: boolean;
  /** How long the longest-lived signature must verify after its key retired. */
  readonly tokenLifeMsMax: number;
};

export type KeyChange = {
  readonly purpose: string;
  readonly kid: string;
  readonly state: KeyState;
  readonly jwk: PublicJwk;
  readonly at: Instant;
  /** When a next key may sign, when a retired one stops. */
  readonly notBefore: Instant;
  /** Why it was revoked. */
  readonly reason?: string;
  /** The client that asked for the change; absent when it came by schedule. */
  readonly by?: string;
};

/** Where keys are written, and what is told of it. */
export type KeyRegister = {
  readonly db: Database;
  readonly clock: Clock;
  /** Makes new keys. */
  readonly engine: SignerEngine;
  readonly kek: Kek;
  readonly purposes: readonly KeyPurpose[];
  readonly log: Log;
  /** Runs in the transaction of each change of state, so that the issuer's log can hold it. */
  readonly recordChange?: ((tx: GlobalTx, change: KeyChange) => Promise<void>) | undefined;
};

/** Notified after each change of a signing key. */
export const keysChannel = "signing_keys";

const changeOf = (row: SigningKeyRow, at: Instant): KeyChange => ({
  purpose: row.purpose,
  kid: row.kid,
  state: row.state,
  jwk: row.public_jwk,
  at,
  notBefore: row.not_before,
  ...(row.reason === null ? {} : { reason: row.reason }),
});

async function record(
  { recordChange }: KeyRegister,
  tx: GlobalTx,
  { by, ...change }: Omit<KeyChange, "by"> & { readonly by: string | undefined },
): Promise<void> {
  tx.notify(keysChannel);
  await recordChange?.(tx, by === undefined ? change : { ...change, by });
}

/**
 * Adds the purpose's very first key, which may sign at once, or its next one; or finds the one there is. The key is made
 * before the transaction, since it may be made elsewhere; of several made at once, one is kept.
 */
export async function addKey(
  register: KeyRegister,
  purpose: KeyPurpose,
  { state, by }: { state: "current" | "next"; by?: string | undefined },
): Promise<KeyChange> {
  const { db, engine } = register;
  const there = await db.global.transaction((tx) => keyInState(tx, purpose, state));
  if (there !== undefined) return changeOf(there, there.created_at);
  for (let attempt = 0; attempt < 3; attempt++) {
    const made = await engine.create(purpose);
    const added = await db.global.transaction((tx) => addLocked(tx, register, { purpose, state, by, made }));
    if (added !== undefined) return added;
    // Another key-encryption key wraps since the key was made.
    await register.kek.follow();
  }
  throw new Problem("unavailable", { private: { because: "the key-encryption key changes too often" } });
}

/** Undefined when the key is under a key-encryption key that is being rotated away. */
async function addLocked(
  tx: GlobalTx,
  register: KeyRegister,
  given: { purpose: KeyPurpose; state: "current" | "next"; by: string | undefined; made: NewKey },
): Promise<KeyChange | undefined> {
  const { purpose, state, by, made } = given;
  const now = register.clock.now();
  if (!(await mayKeep(tx, register, made))) return undefined;
  await lockSigningKeys(tx, purpose.purpose);
  const row = newRow(register, made, { purpose, state, now });
  const { count } = await insertSigningKey(tx, row);
  if (count === 0) {
    const other = await keyInState(tx, purpose, state);
    invariant(other !== undefined, "a key that was not added is there already");
    return changeOf(other, other.created_at);
  }
  await record(register, tx, { ...changeOf(row, now), by });
  return changeOf(row, now);
}

const mayKeep = async (tx: GlobalTx, { kek }: KeyRegister, { kept }: NewKey): Promise<boolean> =>
  !("wrapped" in kept) || kek.holds(tx, kept.kek);

const keyInState = async (
  tx: GlobalTx,
  { purpose }: KeyPurpose,
  state: KeyState,
): Promise<SigningKeyRow | undefined> =>
  (await readSigningKeys(tx, [purpose])).find((key) => key.state === state);

function newRow(
  { engine }: KeyRegister,
  { jwk, kept }: NewKey,
  { purpose, state, now }: { purpose: KeyPurpose; state: "current" | "next"; now: Instant },
): SigningKeyRow {
  invariant(!("d" in jwk), "what is published of a key is its public half");
  return {
    kid: jwk.kid,
    purpose: purpose.purpose,
    alg: purpose.alg,
    public_jwk: jwk,
    engine: engine.name,
    wrapped: "wrapped" in kept ? kept.wrapped : null,
    kek: "wrapped" in kept ? kept.kek : null,
    reference: "wrapped" in kept ? null : kept.reference,
    state,
    created_at: now,
    not_before: state === "current" ? now : after(now, publishMs),
    not_after: null,
    keep_until: null,
    revoked_at: null,
    reason: null,
  };
}

/** Makes the changes that are due, and publishes a next key where one is. */
export async function moveKeys(register: KeyRegister): Promise<void> {
  const { db, clock, purposes } = register;
  const names = purposes.map(({ purpose }) => purpose);
  // Looked at without a lock first: hardly ever is anything due.
  const rows = await db.global.transaction((tx) => readSigningKeys(tx, names));
  for (const purpose of purposes) {
    const times = { now: clock.now(), tokenLifeMsMax: purpose.tokenLifeMsMax };
    const keys = rows.filter((row) => row.purpose === purpose.purpose);
    if (changesDue(keys, times).length > 0)
      await db.global.transaction((tx) => moveLocked(tx, register, purpose));
    // A key that was revoked while none could be made is followed by one as soon as that is possible.
    if (signerOf(keys) === undefined) await addKey(register, purpose, { state: "current" });
    if (rotationDue(keys, times.now)) await addKey(register, purpose, { state: "next" });
  }
}

async function moveLocked(tx: GlobalTx, register: KeyRegister, purpose: KeyPurpose): Promise<void> {
  const now = register.clock.now();
  const keys = await lockSigningKeys(tx, purpose.purpose);
  for (const row of changesDue(keys, { now, tokenLifeMsMax: purpose.tokenLifeMsMax })) {
    await saveSigningKey(tx, row);
    await record(register, tx, { ...changeOf(row, now), by: undefined });
  }
}

export type Revocation = {
  readonly revoked: KeyChange;
  /** Signs in its place from now on; undefined when the key did not sign. */
  readonly successor: KeyChange | undefined;
};

export type Revoking = { readonly reason: string; readonly by?: string };

/**
 * Ends a key at once (K03). Where it signed, its next key, or else a new one, signs from now on: verifiers that do not
 * know it yet look for it, as for every kid that is new to them. Where none can be made now (its keeper is away), the key
 * ends all the same and nothing is signed until one is. Twice is once.
 */
export async function revokeKey(register: KeyRegister, kid: string, revoking: Revoking): Promise<Revocation> {
  const { db, engine, log } = register;
  const found = await db.global.transaction((tx) => keysBeside(tx, register, kid));
  if (found === undefined) throw new Problem("not_found", { detail: "There is no signing key of this kid." });
  const { purpose, keys } = found;
  const needsSpare = signerOf(keys)?.kid === kid && !keys.some(({ state }) => state === "next");
  const spare = needsSpare
    ? await engine.create(purpose).catch((err: unknown) => {
        log.error({ err, kid }, "no key can be made to follow the one that is revoked");
        return undefined;
      })
    : undefined;
  return db.global.transaction((tx) => revokeLocked(tx, register, { ...revoking, kid, purpose, spare }));
}

async function keysBeside(
  tx: GlobalTx,
  { purposes }: KeyRegister,
  kid: string,
): Promise<{ purpose: KeyPurpose; keys: SigningKeyRow[] } | undefined> {
  const name = await purposeOfKey(tx, kid);
  const purpose = purposes.find((known) => known.purpose === name);
  return purpose && { purpose, keys: await readSigningKeys(tx, [purpose.purpose]) };
}

async function revokeLocked(
  tx: GlobalTx,
  register: KeyRegister,
  given: Revoking & { kid: string; purpose: KeyPurpose; spare: NewKey | undefined },
): Promise<Revocation> {
  const now = register.clock.now();
  const { kid, purpose, spare, reason, by } = given;
  const keys = await lockSigningKeys(tx, purpose.purpose);
  const key = keys.find((row) => row.kid === kid);
  invariant(key !== undefined, "a key's row is never deleted");
  if (key.revoked_at !== null) return { revoked: changeOf(key, key.revoked_at), successor: undefined };
  const ended = revoked(key, { now, reason });
  await saveSigningKey(tx, ended);
  const revocation = changeOf(ended, now);
  await record(register, tx, { ...revocation, by });
  const next = keys.find(({ state }) => state === "next");
  if (key.state !== "current") return { revoked: revocation, successor: undefined };
  const promoted: SigningKeyRow | undefined = next && { ...next, state: "current", not_before: now };
  if (promoted !== undefined) await saveSigningKey(tx, promoted);
  // One that is under a former key-encryption key is left out: the next look at the keys makes another.
  const kept = spare !== undefined && (await mayKeep(tx, register, spare)) ? spare : undefined;
  const made = kept && newRow(register, kept, { purpose, state: "current", now });
  if (promoted === undefined && made !== undefined) {
    const { count } = await insertSigningKey(tx, made);
    invariant(count === 1, "the key of a new signature is new");
  }
  const row = promoted ?? made;
  if (row === undefined) return { revoked: revocation, successor: undefined };
  const successor = changeOf(row, now);
  await record(register, tx, { ...successor, by });
  return { revoked: revocation, successor };
}
