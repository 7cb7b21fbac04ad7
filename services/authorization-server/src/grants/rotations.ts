import { after, type Clock, type Id, type Instant, secondMs, toRfc3339 } from "@remit/kernel";
import { createBatches } from "@remit/platform/batches";
import { failpoint } from "@remit/platform/failpoint";
import type { Keyring } from "@remit/platform/keys";
import { firstUseDigest } from "@remit/platform/once";
import type { Database } from "@remit/platform/sql";
import { sha256b64url } from "@remit/protocol/node";
import { type KnownClient, replayMemoryMs } from "../clients/index.ts";
import { successorUid } from "./artifacts.ts";
import { familyMs } from "./grants.ts";
import * as rows from "./rotations.sql.ts";
import { createSealing, type Payload, type Sealing } from "./sealing.ts";

/** A refresh token that may be used now as far as a look tells, with the grant that it is of. */
export type RotatableToken = {
  readonly id: string;
  /** What the core keeps of the token, and of its grant. */
  readonly token: Payload;
  readonly grant: Payload;
  readonly grantDigest: string;
  readonly account: Id<"account">;
  readonly mandate: Id<"mandate"> | undefined;
  readonly scope: string;
};

/** One use of a refresh token, and what comes of it. */
export type Rotation = {
  readonly used: RotatableToken;
  readonly known: KnownClient;
  /** First uses that are claimed with it. */
  readonly firstUses: readonly string[];
  readonly successor: { readonly id: string; readonly payload: Payload; readonly expiresAt: Instant };
  /** Kept for who asks again because the answer was lost. */
  readonly answer: Payload;
};

/** `changed`: the client is to be read anew. Whatever is not rotated has left nothing behind. */
export type Rotated = "rotated" | "changed" | "not";

/** The plain way of a refresh token: read in one statement, used up in another, each for all that come at once. */
export type Rotations = {
  /** Undefined for what was used before, has ended, or is bound to a session: the core judges it. */
  find(token: string): Promise<RotatableToken | undefined>;
  /**
   * Uses it up for its successor and keeps the answer, all in one transaction (design section 5). Of those who use the
   * same at once, in any process, one is told `rotated`.
   */
  rotate(rotation: Rotation): Promise<Rotated>;
};

/** How long the same successor is handed out again (design section 5). */
export const graceMs = 10 * secondMs;

type Deps = { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock };

export function createRotations({ db, keyring, clock }: Deps): Rotations {
  const sealing = createSealing({ db, keyring });
  const looks = createBatches({ commit: (digests: readonly string[]) => look(db, digests) });
  const uses = createBatches({ commit: (batch: readonly Sealed[]) => useUp({ db, clock }, batch) });
  return {
    async find(token) {
      const row = await looks.add(sha256b64url(token));
      return row === undefined ? undefined : openRow(sealing, token, row);
    },
    async rotate(rotation) {
      const rotated = await uses.add(await sealed(sealing, rotation, clock.now()));
      if (rotated === "rotated") await failpoint("refresh.rotated");
      return rotated;
    },
  };
}

async function look(db: Database, digests: readonly string[]): Promise<(rows.RotatableRow | undefined)[]> {
  const found = await rows.findRotatable(db.single, [...new Set(digests)]);
  const byDigest = new Map(found.map((row) => [row.idDigest, row]));
  return digests.map((digest) => byDigest.get(digest));
}

async function openRow(
  sealing: Sealing,
  id: string,
  row: rows.RotatableRow,
): Promise<RotatableToken | undefined> {
  const { idDigest, scope, grantDigest, account, mandate } = row;
  const token = await sealing.openAlone({ model: "RefreshToken", idDigest, scope }, row.sealed);
  const place = { model: "Grant", idDigest: grantDigest, scope: row.grantScope };
  const grant = await sealing.openAlone(place, row.grantSealed);
  if (token === undefined || grant === undefined) return undefined;
  return { id, token, grant, grantDigest, account, mandate: mandate ?? undefined, scope };
}

type Sealed = { readonly known: KnownClient; readonly row: rows.RotationRow };

/** What is written of it, made before its turn comes so that no transaction waits for it. */
async function sealed(
  sealing: Sealing,
  { used, known, firstUses, successor, answer }: Rotation,
  now: Instant,
): Promise<Sealed> {
  const { scope } = used;
  const usedDigest = sha256b64url(used.id);
  const idDigest = sha256b64url(successor.id);
  const next = await sealing.sealAlone({ model: "RefreshToken", idDigest, scope }, successor.payload);
  const kept = await sealing.sealAlone({ model: "RefreshAnswer", idDigest: usedDigest, scope }, answer);
  const row = {
    used: usedDigest,
    client: known.client.id,
    grant_digest: used.grantDigest,
    scope,
    uses: firstUses.map(firstUseDigest),
    successor: idDigest,
    successor_uid: sha256b64url(successorUid(used.id)),
    successor_sealed: Buffer.from(next).toString("base64"),
    successor_expires: toRfc3339(successor.expiresAt),
    answer_sealed: Buffer.from(kept).toString("base64"),
    answer_expires: toRfc3339(after(now, graceMs)),
  };
  return { known, row };
}

/** Of those that want the same token or the same first use, here the first may have it, and among processes one. */
async function useUp(
  { db, clock }: Pick<Deps, "db" | "clock">,
  batch: readonly Sealed[],
): Promise<Rotated[]> {
  const owners = new Map<string, Sealed>();
  const wantedBy = ({ row }: Sealed): string[] => [row.used, ...row.uses];
  for (const each of batch) for (const one of wantedBy(each)) if (!owners.has(one)) owners.set(one, each);
  const asked = batch.filter((each) => wantedBy(each).every((one) => owners.get(one) === each));
  const now = clock.now();
  const clients = new Map(asked.map(({ known }) => [`${known.client.id} ${known.stamp}`, known]));
  const { changed, rotated } = await rows.rotate(db.single, {
    clients: [...clients.values()].map(({ client: { tenant, id }, stamp }) => ({ tenant, id, stamp })),
    rows: asked.map(({ row }) => row),
    usesUntil: after(now, replayMemoryMs),
    tokensUntil: after(now, familyMs),
  });
  const done = new Set(asked.filter(({ row }) => rotated.includes(row.used)));
  return batch.map((each) => {
    if (changed.includes(each.row.client)) return "changed";
    return done.has(each) ? "rotated" : "not";
  });
}
