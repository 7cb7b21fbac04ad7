import { after, type Clock, type Instant, invariant } from "@remit/kernel";
import { Problem, type PublicJwk } from "@remit/protocol";
import type { Database, GlobalTx } from "../sql/index.ts";
import { changesDue, publishMs, revoked, rotationDue } from "./key-states.ts";
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
};

/** Where keys are written, and what is told of it. */
export type KeyRegister = {
  readonly db: Database;
  readonly clock: Clock;
  /** Makes new keys. */
  readonly engine: SignerEngine;
  readonly purposes: readonly KeyPurpose[];
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

async function record({ recordChange }: KeyRegister, tx: GlobalTx, change: KeyChange): Promise<void> {
  tx.notify(keysChannel);
  await recordChange?.(tx, change);
}

/**
 * Adds the purpose's very first key, which may sign at once, or its next one; or finds the one there is. The key is made
 * before the transaction, since it may be made elsewhere; of several made at once, one is kept.
 */
export async function addKey(
  register: KeyRegister,
  purpose: KeyPurpose,
  state: "current" | "next",
): Promise<KeyChange> {
  const { db, clock, engine } = register;
  const there = await db.global.transaction((tx) => keyInState(tx, purpose, state));
  if (there !== undefined) return changeOf(there, there.created_at);
  const made = await engine.create(purpose);
  return db.global.transaction(async (tx) => {
    const now = clock.now();
    await lockSigningKeys(tx, purpose.purpose);
    const row = newRow(register, made, { purpose, state, now });
    const { count } = await insertSigningKey(tx, row);
    if (count === 0) {
      const other = await keyInState(tx, purpose, state);
      invariant(other !== undefined, "a key that was not added is there already");
      return changeOf(other, other.created_at);
    }
    await record(register, tx, changeOf(row, now));
    return changeOf(row, now);
  });
}

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
    if (rotationDue(keys, times.now)) await addKey(register, purpose, "next");
  }
}

async function moveLocked(tx: GlobalTx, register: KeyRegister, purpose: KeyPurpose): Promise<void> {
  const now = register.clock.now();
  const keys = await lockSigningKeys(tx, purpose.purpose);
  for (const row of changesDue(keys, { now, tokenLifeMsMax: purpose.tokenLifeMsMax })) {
    await saveSigningKey(tx, row);
    await record(register, tx, changeOf(row, now));
  }
}

export type Revocation = {
  readonly revoked: KeyChange;
  /** Signs in its place from now on; undefined when the key did not sign. */
  readonly successor: KeyChange | undefined;
};

/**
 * Ends a key at once (K03). Where it signed, its next key, or else a new one, signs from now on: verifiers that do not
 * know it yet look for it, as for every kid that is new to them. Twice is once.
 */
export async function revokeKey(register: KeyRegister, kid: string, reason: string): Promise<Revocation> {
  const { db, clock, engine, purposes } = register;
  const name = await db.global.transaction((tx) => purposeOfKey(tx, kid));
  const purpose = purposes.find((known) => known.purpose === name);
  if (purpose === undefined)
    throw new Problem("not_found", { detail: "There is no signing key of this kid." });
  const spare = await engine.create(purpose);
  return db.global.transaction(async (tx) => {
    const now = clock.now();
    const keys = await lockSigningKeys(tx, purpose.purpose);
    const key = keys.find((row) => row.kid === kid);
    invariant(key !== undefined, "a key's row is never deleted");
    if (key.revoked_at !== null) return { revoked: changeOf(key, key.revoked_at), successor: undefined };
    const ended = revoked(key, { now, reason });
    await saveSigningKey(tx, ended);
    await record(register, tx, changeOf(ended, now));
    if (key.state !== "current") return { revoked: changeOf(ended, now), successor: undefined };
    const next = keys.find(({ state }) => state === "next");
    const successor: SigningKeyRow =
      next === undefined
        ? newRow(register, spare, { purpose, state: "current", now })
        : { ...next, state: "current", not_before: now };
    const { count } = await (next === undefined ? insertSigningKey : saveSigningKey)(tx, successor);
    invariant(count === 1, "a purpose whose key was revoked has another one that signs");
    await record(register, tx, changeOf(successor, now));
    return { revoked: changeOf(ended, now), successor: changeOf(successor, now) };
  });
}
