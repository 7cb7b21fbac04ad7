import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Database, Tx } from "@remit/platform/sql";
import { sha256b64url } from "@remit/protocol/node";
import * as rows from "./artifacts.sql.ts";
import { createSealing } from "./sealing.ts";

/** One thing the OAuth core remembers: a code, a refresh token, a pushed request, a session, a grant … */
export type Artifact = {
  readonly model: string;
  readonly id: string;
  readonly payload: { readonly [member: string]: unknown };
  readonly expiresAt: Instant;
  readonly grant?: string | undefined;
  readonly uid?: string | undefined;
  /** Others of its model with its uid leave in the same transaction: its id was rotated. */
  readonly alone?: true;
};

/** A use of an artefact, as `consume` told it. */
export type Used = { readonly model: string; readonly id: string; readonly at: rows.UsedAt };

export type Found = {
  readonly payload: { readonly [member: string]: unknown };
  readonly consumedAt: Instant | undefined;
};

export type Use = {
  readonly usedMsAgo: number | undefined;
  readonly grantDigest: string | undefined;
  /** Whether an answer to its use was ever kept; before that nobody can have got one. */
  readonly answered: boolean;
};

/**
 * The store of OAuth artefacts. Ids are looked up by SHA-256 and payloads are ciphertext under `scope`, so that a copy
 * of the database holds no code, no token and no session. Every id is of one model; a digest never crosses models.
 */
export type Artifacts = {
  save(artifact: Artifact, scope: string): Promise<void>;
  /** The same two in the caller's transaction, whoever's it is. */
  saveWithin(tx: Tx, artifact: Artifact, scope: string): Promise<void>;
  findWithin(tx: Tx, model: string, id: string): Promise<Found | undefined>;
  find(model: string, id: string): Promise<Found | undefined>;
  findByUid(model: string, uid: string): Promise<Found | undefined>;
  /** One conditional UPDATE, for exactly one caller. The row is kept until `keepUntil`, to know a replay. */
  consume(model: string, id: string, keepUntil: Instant): Promise<Used | undefined>;
  /**
   * The same for what was used `afterMs` ago or earlier and never answered: whoever used it can answer no more, and what
   * it had saved to hand out (under `successorUid`) is gone.
   */
  takeOver(model: string, id: string, afterMs: number): Promise<Used | undefined>;
  /** Saves the answer to a use and marks that as answered; false, and nothing saved, when another took it over. */
  answer(used: Used, answer: Artifact, scope: string): Promise<boolean>;
  /** What became of it; undefined when it is not there. */
  useOf(model: string, id: string): Promise<Use | undefined>;
  /** Whether a client polls for this too early, and how long it must wait in between; undefined when it is not there. */
  poll(model: string, id: string): Promise<{ early: boolean; intervalS: number } | undefined>;
  destroy(model: string, id: string): Promise<void>;
  deleteExpired(now: Instant, limit: number): Promise<number>;
};

/** What the network may take from an interval that the client kept. */
const pollLeewayMs = 500;
const pollIntervalSMax = 60;

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };

export function createArtifacts({ db, keyring, clock }: Deps): Artifacts {
  const sealing = createSealing({ db, keyring });
  const findWithin = async (tx: Tx, model: string, id: string): Promise<Found | undefined> => {
    const row = await rows.findArtifact(tx, model, sha256b64url(id));
    return row && foundIn(row, await sealing.open(tx, row, row.sealed));
  };
  const alone = async (row: rows.ArtifactRow | undefined): Promise<Found | undefined> =>
    row && foundIn(row, await sealing.openAlone(row, row.sealed));
  const saveWithin = async (tx: Tx, artifact: Artifact, scope: string): Promise<void> => {
    const idDigest = sha256b64url(artifact.id);
    const { model, expiresAt } = artifact;
    const place = { model, idDigest, scope };
    const sealed = await sealing.seal(tx, place, artifact.payload);
    const digests = digestsOf(artifact);
    await rows.upsertArtifact(tx, { ...place, sealed, expiresAt, ...digests });
    if (artifact.alone === true && digests.uidDigest !== undefined)
      await rows.deleteArtifactsOfUid(tx, { model, uidDigest: digests.uidDigest, keptIdDigest: idDigest });
  };
  return {
    saveWithin,
    findWithin,
    save: (artifact, scope) => db.global.transaction((tx) => saveWithin(tx, artifact, scope)),
    find: async (model, id) => alone(await rows.findArtifact(db.single, model, sha256b64url(id))),
    findByUid: async (model, uid) => alone(await rows.findArtifactByUid(db.single, model, sha256b64url(uid))),
    consume: async (model, id, keepUntil) => {
      const at = await rows.consumeArtifact(db.single, { model, idDigest: sha256b64url(id), keepUntil });
      return at === undefined ? undefined : { model, id, at };
    },
    takeOver: (model, id, afterMs) =>
      db.global.transaction(async (tx) => {
        const at = await rows.takeOverArtifact(tx, { model, idDigest: sha256b64url(id), afterMs });
        if (at === undefined) return undefined;
        await rows.deleteArtifactsOfUid(tx, { model, uidDigest: sha256b64url(successorUid(id)) });
        return { model, id, at };
      }),
    answer: (used, answer, scope) =>
      db.global.transaction(async (tx) => {
        const row = { model: used.model, idDigest: sha256b64url(used.id), usedAt: used.at };
        const mine = await rows.markAnswered(tx, row);
        if (mine) await saveWithin(tx, answer, scope);
        return mine;
      }),
    useOf: (model, id) => rows.findUse(db.single, model, sha256b64url(id)),
    poll: (model, id) =>
      db.global.transaction((tx) => {
        const row = { model, idDigest: sha256b64url(id), now: clock.now() };
        return rows.markPoll(tx, { ...row, leewayMs: pollLeewayMs, intervalSMax: pollIntervalSMax });
      }),
    destroy: (model, id) => db.global.transaction((tx) => rows.deleteArtifact(tx, model, sha256b64url(id))),
    deleteExpired: (now, limit) => db.global.transaction((tx) => rows.deleteExpired(tx, now, limit)),
  };
}

const foundIn = (
  { consumedAt }: rows.ArtifactRow,
  payload: Found["payload"] | undefined,
): Found | undefined => (payload === undefined ? undefined : { payload, consumedAt });

/** The uid of what takes the place of a used artefact of the same model. */
export const successorUid = (id: string): string => `successor of ${id}`;

const digestsOf = ({
  grant,
  uid,
}: Artifact): { grantDigest: string | undefined; uidDigest: string | undefined } => ({
  grantDigest: grant === undefined ? undefined : sha256b64url(grant),
  uidDigest: uid === undefined ? undefined : sha256b64url(uid),
});

/** When something that lives so many seconds ends. */
export const endsAt = (now: Instant, expiresInS: number): Instant =>
  after(now, Math.ceil(expiresInS) * secondMs);
