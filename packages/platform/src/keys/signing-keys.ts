import { after, type Clock, type Instant, invariant } from "@remit/kernel";
import {
  type JsonObject,
  type PrivateJwk,
  type PublicJwk,
  parsePrivateJwk,
  publicJwkOf,
} from "@remit/protocol";
import { generateJwk, signatureOf, signJws } from "@remit/protocol/node";
import type { Database, GlobalTx } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { decrypt, encrypt } from "./envelope.ts";
import type { Kek } from "./kek.ts";
import { changesDue, publishMs, rotationDue, signerOf } from "./key-states.ts";
import {
  insertSigningKey,
  type KeyState,
  lockSigningKeys,
  readSigningKeys,
  type SigningKeyRow,
  saveSigningKey,
} from "./keys.sql.ts";

export type KeyPurpose = {
  readonly purpose: string;
  readonly alg: "ES256" | "EdDSA";
  /** Signatures that must verify for ever (receipts, mandates, audit): `publicKeys` never drops such a key. */
  readonly evidence?: boolean;
  /** How long the longest-lived signature must verify after its key retired. */
  readonly tokenLifeMsMax: number;
};

/** A public key and the time in which its signatures count. */
export type PublishedKey = {
  readonly jwk: PublicJwk;
  readonly state: KeyState;
  readonly notBefore: Instant;
  readonly notAfter?: Instant;
};

export type KeyChange = {
  readonly purpose: string;
  readonly kid: string;
  readonly state: KeyState;
  readonly jwk: PublicJwk;
  readonly at: Instant;
};

export type SigningKeysOptions = {
  readonly db: Database;
  readonly kek: Kek;
  readonly clock: Clock;
  readonly log: Log;
  readonly purposes: readonly KeyPurpose[];
  /** Runs in the transaction of each change of state, so that the issuer's log can hold it. */
  readonly recordChange?: (tx: GlobalTx, change: KeyChange) => Promise<void>;
};

export type SigningKeys = {
  /** Makes the first keys when there are none, reads all, and listens for changes. Call before anything else. */
  load(): Promise<void>;
  /** A compact JWS by the purpose's key of now; `alg` and `kid` are set here. Synchronous. */
  sign(purpose: string, header: JsonObject & { readonly typ: string }, payload: JsonObject): string;
  /**
   * A raw signature (ES256 as r ‖ s, Ed25519) by the key of that kid, for engines that build the JWS themselves. Works
   * for current keys, and for a retired one until its `notAfter`.
   */
  signBytes(kid: string, data: Uint8Array): Uint8Array;
  /** The key that `sign` would use now. */
  currentKey(purpose: string): {
    readonly kid: string;
    readonly alg: "ES256" | "EdDSA";
    readonly jwk: PublicJwk;
  };
  /** For `jwks_uri`: next, current and retired keys of every purpose, or of those named. */
  jwks(purposes?: readonly string[]): { readonly keys: readonly PublicJwk[] };
  /** The keys of a purpose, each with its time; of one that is evidence the removed ones too. */
  publicKeys(purpose: string): readonly PublishedKey[];
  /** Publishes a next key; it signs from 330 s later on. With a next key waiting already, that one is returned. */
  rotate(purpose: string): Promise<KeyChange>;
  /** Moves keys whose time has come, and sees what other processes did. Run it every 30 s. */
  reload(): Promise<void>;
  /** Stops listening. */
  close(): void;
};

type LoadedKey = SigningKeyRow & { readonly privateJwk: PrivateJwk | undefined };
type Room = SigningKeysOptions & { readonly byPurpose: Map<string, readonly LoadedKey[]> };

const channel = "signing_keys";

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const room: Room = { ...options, byPurpose: new Map() };
  let stopListening: () => void = () => undefined;
  const keysOf = (purpose: string): readonly LoadedKey[] => {
    const keys = room.byPurpose.get(purpose);
    invariant(keys !== undefined, `the signing keys of ${purpose} are loaded`);
    return keys;
  };
  const signer = (purpose: string): { row: LoadedKey; key: PrivateJwk } => {
    const row = signerOf(keysOf(purpose), options.clock.now());
    invariant(row?.privateJwk !== undefined, `${purpose} has a key that may sign`);
    return { row, key: row.privateJwk };
  };
  return {
    async load() {
      for (const purpose of options.purposes) await addKey(room, purpose, "current");
      await reload(room);
      stopListening();
      stopListening = options.db.listen(channel, () => {
        read(room).catch((err: unknown) => room.log.error({ err }, "the signing keys cannot be read again"));
      });
    },
    sign: (purpose, header, payload) => signJws(signer(purpose).key, header, payload),
    signBytes(kid, data) {
      const key = [...room.byPurpose.values()].flat().find((candidate) => candidate.kid === kid)?.privateJwk;
      invariant(key !== undefined, "a signature is asked of a key that may sign");
      return signatureOf(key, data);
    },
    currentKey(purpose) {
      const { row } = signer(purpose);
      return { kid: row.kid, alg: row.alg, jwk: row.public_jwk };
    },
    jwks: (purposes = options.purposes.map(({ purpose }) => purpose)) => ({
      keys: purposes
        .flatMap(keysOf)
        .filter(({ state }) => state !== "removed")
        .map(({ public_jwk }) => public_jwk),
    }),
    publicKeys(name) {
      const evidence = options.purposes.some(
        ({ purpose, evidence }) => purpose === name && evidence === true,
      );
      const keys = keysOf(name);
      return (evidence ? keys : keys.filter(({ state }) => state !== "removed")).map(published);
    },
    rotate: async (name) => {
      const purpose = options.purposes.find(({ purpose }) => purpose === name);
      invariant(purpose !== undefined, `${name} is a purpose of this service`);
      const change = await addKey(room, purpose, "next");
      await read(room);
      return change;
    },
    reload: () => reload(room),
    close: () => stopListening(),
  };
}

const published = ({ public_jwk, state, not_before, not_after }: SigningKeyRow): PublishedKey => ({
  jwk: public_jwk,
  state,
  notBefore: not_before,
  ...(not_after === null ? {} : { notAfter: not_after }),
});

const changeOf = ({ purpose, kid, state, public_jwk: jwk }: SigningKeyRow, at: Instant): KeyChange => ({
  purpose,
  kid,
  state,
  jwk,
  at,
});

/** Adds the purpose's very first key, which may sign at once, or its next one; or finds the one there is. */
function addKey(room: Room, purpose: KeyPurpose, state: "current" | "next"): Promise<KeyChange> {
  return room.db.global.transaction(async (tx) => {
    const now = room.clock.now();
    const there = (await lockSigningKeys(tx, purpose.purpose)).find((key) => key.state === state);
    if (there !== undefined) return changeOf(there, there.created_at);
    const row = newRow(room, purpose, { state, now });
    const { count } = await insertSigningKey(tx, row);
    if (count === 0) return changeOf((await theOther(tx, row)) ?? row, now);
    tx.notify(channel);
    await room.recordChange?.(tx, changeOf(row, now));
    return changeOf(row, now);
  });
}

const theOther = async (
  tx: GlobalTx,
  { purpose, state }: SigningKeyRow,
): Promise<SigningKeyRow | undefined> =>
  (await lockSigningKeys(tx, purpose)).find((key) => key.state === state);

function newRow(
  { kek }: Room,
  { purpose, alg }: KeyPurpose,
  { state, now }: { state: "current" | "next"; now: Instant },
): SigningKeyRow {
  const privateJwk = generateJwk(alg);
  const publicJwk = { ...publicJwkOf(privateJwk), use: "sig" };
  const kid = privateJwk.kid ?? "";
  invariant(kid !== "", "a generated key has a kid");
  const plaintext = new TextEncoder().encode(JSON.stringify(privateJwk));
  return {
    kid,
    purpose,
    alg,
    public_jwk: publicJwk,
    wrapped: encrypt(kek.key.reveal(), { plaintext, aad: wrapAad(purpose, kid) }),
    state,
    created_at: now,
    not_before: state === "current" ? now : after(now, publishMs),
    not_after: null,
    keep_until: null,
  };
}

const wrapAad = (purpose: string, kid: string): string => `signing key\n${purpose}\n${kid}`;

async function reload(room: Room): Promise<void> {
  for (const purpose of room.purposes) {
    const due = await room.db.global.transaction((tx) => moveKeys(tx, room, purpose));
    if (due) await addKey(room, purpose, "next");
  }
  await read(room);
}

/** Makes the changes that are due; true when the purpose should also get a next key. */
async function moveKeys(tx: GlobalTx, room: Room, { purpose, tokenLifeMsMax }: KeyPurpose): Promise<boolean> {
  const now = room.clock.now();
  const keys = await lockSigningKeys(tx, purpose);
  const changes = changesDue(keys, { now, tokenLifeMsMax });
  for (const row of changes) {
    await saveSigningKey(tx, row);
    await room.recordChange?.(tx, changeOf(row, now));
  }
  if (changes.length > 0) tx.notify(channel);
  return rotationDue(keys, now);
}

async function read(room: Room): Promise<void> {
  const names = room.purposes.map(({ purpose }) => purpose);
  const rows = await room.db.global.transaction((tx) => readSigningKeys(tx, names));
  for (const name of names) {
    const before = room.byPurpose.get(name) ?? [];
    const mine = rows.filter(({ purpose }) => purpose === name);
    room.byPurpose.set(
      name,
      mine.map((row) => loaded(room, row, before)),
    );
  }
}

/** A key stays the same object as long as it signs: the key objects of node:crypto are kept with it. */
function loaded({ kek, clock }: Room, row: SigningKeyRow, before: readonly LoadedKey[]): LoadedKey {
  const over = row.not_after !== null && row.not_after <= clock.now();
  if (row.wrapped === null || over) return { ...row, privateJwk: undefined };
  const known = before.find(({ kid }) => kid === row.kid)?.privateJwk;
  if (known !== undefined) return { ...row, privateJwk: known };
  const plaintext = decrypt(kek.key.reveal(), { sealed: row.wrapped, aad: wrapAad(row.purpose, row.kid) });
  const privateJwk = parsePrivateJwk(JSON.parse(new TextDecoder().decode(plaintext)));
  invariant(privateJwk !== undefined, "a stored signing key is one we can sign with");
  return { ...row, privateJwk };
}
