import type { Keyring } from "@remit/platform/keys";
import type { Database, Tx } from "@remit/platform/sql";

/** Where a ciphertext stands, which is authenticated with it: none can be put in another's place. */
export type SealedPlace = { readonly model: string; readonly idDigest: string; readonly scope: string };

export type Payload = { readonly [member: string]: unknown };

/** Turns what is kept of an artefact into ciphertext under the key of its scope, and back. */
export type Sealing = {
  seal(tx: Tx, place: SealedPlace, payload: Payload): Promise<Uint8Array>;
  /** Undefined once the scope has been shredded. */
  open(tx: Tx, place: SealedPlace, sealed: Uint8Array): Promise<Payload | undefined>;
  /** The same two outside a transaction: without asking the database, as long as the scope's key is in memory. */
  sealAlone(place: SealedPlace, payload: Payload): Promise<Uint8Array>;
  openAlone(place: SealedPlace, sealed: Uint8Array): Promise<Payload | undefined>;
};

type Deps = { readonly db: Database; readonly keyring: Keyring };

export function createSealing({ db, keyring }: Deps): Sealing {
  const sealing: Sealing = {
    seal: (tx, place, payload) => keyring.seal(tx, place.scope, plainOf(place, payload)),
    open: async (tx, place, sealed) =>
      payloadIn(await keyring.open(tx, place.scope, { sealed, aad: aadOf(place) })),
    sealAlone: async (place, payload) =>
      keyring.sealRemembered(place.scope, plainOf(place, payload)) ??
      db.global.transaction((tx) => sealing.seal(tx, place, payload)),
    openAlone: async (place, sealed) =>
      payloadIn(keyring.openRemembered(place.scope, { sealed, aad: aadOf(place) })) ??
      db.global.transaction((tx) => sealing.open(tx, place, sealed)),
  };
  return sealing;
}

const plainOf = (place: SealedPlace, payload: Payload) => ({
  plaintext: Buffer.from(JSON.stringify(payload), "utf8"),
  aad: aadOf(place),
});

/** We wrote it: JSON of an object, authenticated by the seal. */
const payloadIn = (plaintext: Uint8Array | undefined): Payload | undefined =>
  plaintext === undefined ? undefined : (JSON.parse(Buffer.from(plaintext).toString("utf8")) as Payload);

const aadOf = ({ model, idDigest }: SealedPlace): string => `oauth_artifacts:${model}:${idDigest}`;
