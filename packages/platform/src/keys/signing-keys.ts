import { AsyncLocalStorage } from "node:async_hooks";
import { type Instant, invariant, minuteMs, secondMs } from "@remit/kernel";
import { type JsonObject, Problem, type PublicJwk, signingInputOf } from "@remit/protocol";
import {
  addKey,
  type KeyChange,
  type KeyRegister,
  keysChannel,
  moveKeys,
  type Revocation,
  type Revoking,
  revokeKey,
} from "./key-changes.ts";
import { signerOf } from "./key-states.ts";
import { type KeyState, readSigningKeys, type SigningKeyRow } from "./keys.sql.ts";
import { localSigners } from "./local-signers.ts";
import type { Signer, SignerEngine } from "./signers.ts";

/** A public key and the time in which its signatures count. */
export type PublishedKey = {
  readonly jwk: PublicJwk;
  readonly state: KeyState;
  readonly notBefore: Instant;
  readonly notAfter?: Instant;
  /** Why it was revoked, when it was. */
  readonly reason?: string;
};

export type SigningKeysOptions = Omit<KeyRegister, "engine"> & {
  /** Where new keys are made; in this process by default. Keys made elsewhere before sign on until they retire. */
  readonly engine?: SignerEngine | undefined;
  /** Where keys may be that were made before, beside this process and `engine`. */
  readonly known?: readonly SignerEngine[] | undefined;
  /** Throws when this process may not sign now (its clock is wrong). */
  readonly maySign?: (() => void) | undefined;
};

export type SigningKeys = {
  /** Makes the first keys when there are none, reads all, and listens for changes. Call before anything else. */
  load(): Promise<void>;
  /** A compact JWS by the purpose's current key; `alg` and `kid` are set here. */
  sign(purpose: string, header: JsonObject & { readonly typ: string }, payload: JsonObject): Promise<string>;
  /**
   * A raw signature (ES256 as r ‖ s, Ed25519) by the key of that kid, for engines that build the JWS themselves. Works
   * for current keys, and for a retired one until its `notAfter`.
   */
  signBytes(kid: string, data: Uint8Array): Promise<Uint8Array>;
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
  /** Another number whenever a key has changed. */
  version(): number;
  /** Every key there ever was, as the database knows it now. */
  list(): Promise<readonly KeyFacts[]>;
  /** Publishes a next key, which signs from 450 s later on. With a next key waiting already, that one is returned. */
  rotate(purpose: string, by?: string): Promise<KeyChange>;
  /** Ends a key at once, in every process, and lets another one sign in its place. */
  revoke(kid: string, revoking: Revoking): Promise<Revocation>;
  /** Moves keys whose time has come, and sees what other processes did. Run it every 10 s. */
  reload(): Promise<void>;
  /** Stops listening. */
  close(): void;
};

/** All that may be told of a key. */
export type KeyFacts = Omit<SigningKeyRow, "wrapped" | "kek" | "reference">;

type LoadedKey = SigningKeyRow & { readonly signer: Signer | undefined };
type Room = Omit<SigningKeysOptions, "engine"> &
  KeyRegister & {
    readonly engines: ReadonlyMap<string, SignerEngine>;
    byPurpose: ReadonlyMap<string, readonly LoadedKey[]>;
    version: number;
    readNs: bigint;
    reading: Promise<void>;
    /** Runs as if nobody's transaction were open. */
    readonly outside: <R>(work: () => R) => R;
  };

// A key may have been revoked without our hearing of it (no LISTEN, a database away): nothing is signed on older word.
const knownMsMax = 40 * secondMs;

export function createSigningKeys(options: SigningKeysOptions): SigningKeys {
  const room = roomOf(options);
  let stopListening: () => void = () => undefined;
  return {
    ...published(room),
    async load() {
      for (const purpose of room.purposes) await addKey(room, purpose, { state: "current" });
      await moveKeys(room);
      await read(room, "strictly");
      stopListening();
      stopListening = options.db.listen(keysChannel, () => {
        read(room).catch((err: unknown) => room.log.error({ err }, "the signing keys cannot be read again"));
      });
    },
    async sign(purpose, header, payload) {
      await permit(room);
      const row = current(room, purpose);
      const input = signingInputOf({ alg: row.alg, kid: row.kid, ...header }, payload);
      const signature = await signWith(room, row, Buffer.from(input));
      return `${input}.${Buffer.from(signature).toString("base64url")}`;
    },
    async signBytes(kid, data) {
      await permit(room);
      const row = [...room.byPurpose.values()].flat().find((candidate) => candidate.kid === kid);
      invariant(row !== undefined, "a signature is asked of a key of ours");
      return signWith(room, row, data);
    },
    list: async () =>
      (await room.db.global.transaction((tx) => readSigningKeys(tx, namesOf(room)))).map(factsOf),
    async rotate(name, by) {
      const purpose = room.purposes.find((known) => known.purpose === name);
      invariant(purpose !== undefined, `${name} is a purpose of this service`);
      const change = await addKey(room, purpose, { state: "next", by });
      await read(room);
      return change;
    },
    async revoke(kid, revoking) {
      const done = await revokeKey(room, kid, revoking);
      await read(room);
      return done;
    },
    async reload() {
      await moveKeys(room);
      await read(room);
    },
    close: () => stopListening(),
  };
}

/** What everybody may see, as this process last read it. */
function published(room: Room): Pick<SigningKeys, "currentKey" | "jwks" | "publicKeys" | "version"> {
  const isEvidence = (name: string): boolean =>
    room.purposes.some(({ purpose, evidence }) => purpose === name && evidence === true);
  return {
    currentKey(purpose) {
      const { kid, alg, public_jwk: jwk } = current(room, purpose);
      return { kid, alg, jwk };
    },
    jwks: (purposes = namesOf(room)) => ({
      keys: purposes
        .flatMap((purpose) => keysOf(room, purpose))
        .filter(({ state }) => state !== "removed")
        .map(({ public_jwk }) => public_jwk),
    }),
    publicKeys: (name) =>
      keysOf(room, name)
        .filter(({ state }) => isEvidence(name) || state !== "removed")
        .map(publishedKey),
    version: () => room.version,
  };
}

function keysOf({ byPurpose }: Room, purpose: string): readonly LoadedKey[] {
  const keys = byPurpose.get(purpose);
  invariant(keys !== undefined, `the signing keys of ${purpose} are loaded`);
  return keys;
}

function current(room: Room, purpose: string): LoadedKey {
  const row = signerOf(keysOf(room, purpose));
  if (row === undefined) throw noKey({ purpose });
  return row;
}

function roomOf(options: SigningKeysOptions): Room {
  const local = localSigners(options.kek);
  const { engine = local, known = [] } = options;
  return {
    ...options,
    engine,
    engines: new Map([local, ...known, engine].map((each) => [each.name, each])),
    byPurpose: new Map(),
    version: 0,
    readNs: 0n,
    reading: Promise.resolve(),
    outside: AsyncLocalStorage.snapshot(),
  };
}

const namesOf = ({ purposes }: Room): string[] => purposes.map(({ purpose }) => purpose);

function factsOf(row: SigningKeyRow): KeyFacts {
  const { wrapped: _, kek: __, reference: ___, ...facts } = row;
  return facts;
}

const publishedKey = (key: SigningKeyRow): PublishedKey => ({
  jwk: key.public_jwk,
  state: key.state,
  // Since when it exists: a process whose clock is behind may date its first signature before the key's activation.
  notBefore: key.created_at,
  ...(key.not_after === null ? {} : { notAfter: key.not_after }),
  ...(key.reason === null ? {} : { reason: key.reason }),
});

/** Refuses to sign with a clock that is wrong, or on word of the keys that is older than a revocation may be. */
async function permit(room: Room): Promise<void> {
  room.maySign?.();
  const ageMs = Number(room.clock.monotonicNs() - room.readNs) / 1e6;
  if (ageMs > knownMsMax) await read(room);
}

async function signWith({ clock }: Room, row: LoadedKey, data: Uint8Array): Promise<Uint8Array> {
  const over = row.state === "removed" || (row.not_after !== null && row.not_after <= clock.now());
  // It was revoked, or retired long ago, while a request that had begun with it was under way: that one begins again.
  if (over || row.signer === undefined) throw noKey({ kid: row.kid, state: row.state });
  return row.signer.sign(data);
}

const noKey = (which: Readonly<Record<string, string>>): Problem =>
  new Problem("unavailable", {
    detail: "The key for this signature is not at hand. Try again.",
    headers: { "retry-after": "1" },
    private: which,
  });

/** Reads one after the other, so that no older answer replaces a newer one; a reader that waits gets a read begun later. */
async function read(
  room: Room,
  how: "strictly" | "as far as possible" = "as far as possible",
): Promise<void> {
  const before = room.reading;
  // What is signed may be signed inside a transaction. The wait for a second connection is short, or ends in a 503.
  const mine = before.then(() => room.outside(() => readNow(room, how)));
  room.reading = mine.catch(() => undefined);
  await mine;
}

async function readNow(room: Room, how: "strictly" | "as far as possible"): Promise<void> {
  const startedNs = room.clock.monotonicNs();
  const rows = await room.db.global.transaction((tx) => readSigningKeys(tx, namesOf(room)));
  const before = new Map([...room.byPurpose.values()].flat().map((key) => [key.kid, key]));
  const keys: LoadedKey[] = [];
  for (const row of rows) {
    const key = await loaded(room, row, before.get(row.kid)?.signer).catch((err: unknown) => {
      if (how === "strictly") throw err;
      room.log.error({ err, kid: row.kid }, "a signing key cannot be opened");
      return { ...row, signer: undefined };
    });
    keys.push(key);
  }
  const changed = keys.length !== before.size || keys.some((key) => before.get(key.kid)?.state !== key.state);
  room.byPurpose = new Map(
    namesOf(room).map((name) => [name, keys.filter(({ purpose }) => purpose === name)]),
  );
  room.readNs = startedNs;
  if (changed) room.version += 1;
}

const signsLongerMs = minuteMs;

/** A key keeps its signer as long as it signs: the key objects of node:crypto are kept with it. */
async function loaded({ engines, clock }: Room, row: SigningKeyRow, known?: Signer): Promise<LoadedKey> {
  const over = row.not_after !== null && row.not_after + signsLongerMs <= clock.now();
  if (row.state === "removed" || over) return { ...row, signer: undefined };
  if (known !== undefined) return { ...row, signer: known };
  const engine = engines.get(row.engine);
  invariant(engine !== undefined, `the engine ${row.engine}, which keeps a signing key, is configured`);
  return { ...row, signer: await engine.open(row) };
}
