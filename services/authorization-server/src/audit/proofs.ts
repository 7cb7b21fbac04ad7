import type { Id } from "@remit/kernel";
import type { Sql } from "@remit/platform/sql";
import { type AuditEntry, type EventType, Problem, type Tile } from "@remit/protocol";
import { type AuditDeps, isGap, type LogName, sequence, shownOf } from "./audit.ts";
import { Broken, signCheckpoint } from "./checkpoint.ts";
import * as found from "./search.sql.ts";
import { newestTree, type SignedTree } from "./tree.sql.ts";
import { consistencyProof, inclusionProof, MissingHashes, readTile, rootAt } from "./tree.ts";

/** The newest signed tree of a log. */
export async function newestCheckpoint({ db }: AuditDeps, tenant: LogName): Promise<SignedTree> {
  const signed = await db.of(tenant).transaction((tx) => newestTree(tx, tenant));
  if (signed === undefined) throw new Problem("audit_checkpoint_not_found");
  return signed;
}

export const tileOf = ({ db }: AuditDeps, tenant: LogName, tile: Tile): Promise<Uint8Array | undefined> =>
  whole(() =>
    db.of(tenant).transaction(async (tx) => {
      const signed = await newestTree(tx, tenant);
      return signed && readTile(tx, tenant, { tile, size: Number(signed.head_seq) });
    }),
  );

export type Inclusion = {
  readonly index: number;
  readonly size: number;
  readonly leaf: Uint8Array;
  readonly root: Uint8Array;
  readonly hashes: readonly Uint8Array[];
  readonly checkpoint: string;
};

/** That an entry stands in the tree of a size. One that was just recorded gets its place and its signature now. */
export async function inclusionOf(
  deps: AuditDeps,
  tenant: LogName,
  { event, size }: { readonly event: Id<"event">; readonly size: number | undefined },
): Promise<Inclusion | undefined> {
  const work = deps.db.of(tenant);
  if (await work.transaction((tx) => found.isWaiting(tx, tenant, event))) await sequence(deps, tenant);
  const row = await work.transaction((tx) => found.findEntry(tx, tenant, event));
  if (row === undefined) return undefined;
  const index = Number(row.seq) - 1;
  await signedOver(deps, tenant, Number(row.seq));
  return whole(() =>
    work.transaction(async (tx) => {
      const signed = await signedWithin(tx, tenant, size);
      if (index >= signed.size)
        throw new Problem("invalid_request", { detail: `size: the entry is the ${index + 1}th of the log` });
      const hashes = await inclusionProof(tx, tenant, { index, size: signed.size });
      return { index, leaf: row.leaf, hashes, ...signed };
    }),
  );
}

export type Stapled = Inclusion & { readonly entry: AuditEntry };

/**
 * The entry about an event of a subject, with its proof, if the newest checkpoint covers it. Nothing is signed for it: it is
 * what goes along with a receipt, and whoever looks again in a few seconds has it.
 */
export const stapledOf = (
  { db }: Pick<AuditDeps, "db">,
  tenant: LogName,
  { type, subject }: { readonly type: EventType; readonly subject: string },
): Promise<Stapled | undefined> =>
  whole(() =>
    db.of(tenant).transaction(async (tx) => {
      const signed = await newestTree(tx, tenant);
      const row = await found.findAbout(tx, tenant, { type, subject });
      if (signed === undefined || row === undefined || row.seq > signed.head_seq) return undefined;
      const entry = shownOf(row);
      if (isGap(entry)) return undefined;
      const [index, size] = [Number(row.seq) - 1, Number(signed.head_seq)];
      const hashes = await inclusionProof(tx, tenant, { index, size });
      const root = await rootAt(tx, tenant, size);
      return { entry, index, size, leaf: row.leaf, root, hashes, checkpoint: signed.note };
    }),
  );

/** That the log of the size `second` began with all of the smaller one. */
export const consistencyOf = (
  deps: AuditDeps,
  tenant: LogName,
  asked: { readonly first: number; readonly second: number | undefined },
) =>
  whole(() =>
    deps.db.of(tenant).transaction(async (tx) => {
      const { size: second, root, checkpoint } = await signedWithin(tx, tenant, asked.second);
      const { first } = asked;
      if (first > second)
        throw new Problem("invalid_request", { detail: `first: the other tree has ${second} entries` });
      const hashes = await consistencyProof(tx, tenant, { first, second });
      return {
        first,
        firstRoot: await rootAt(tx, tenant, first),
        second,
        secondRoot: root,
        hashes,
        checkpoint,
      };
    }),
  );

/** A tree no larger than the newest that was signed, and that one's note. */
async function signedWithin(
  tx: Sql,
  tenant: LogName,
  wanted: number | undefined,
): Promise<{ readonly size: number; readonly root: Uint8Array; readonly checkpoint: string }> {
  const signed = await newestTree(tx, tenant);
  if (signed === undefined) throw new Problem("audit_checkpoint_not_found");
  const newest = Number(signed.head_seq);
  const size = wanted ?? newest;
  if (size > newest)
    throw new Problem("invalid_request", { detail: `the newest signed tree has ${newest} entries` });
  return { size, root: await rootAt(tx, tenant, size), checkpoint: signed.note };
}

async function signedOver(deps: AuditDeps, tenant: LogName, seq: number): Promise<void> {
  const signed = await deps.db.of(tenant).transaction((tx) => newestTree(tx, tenant));
  if (signed !== undefined && Number(signed.head_seq) >= seq) return;
  await signCheckpoint(deps, tenant);
}

/** A tree with a hash missing proves nothing. */
async function whole<R>(work: () => Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const lost = error instanceof MissingHashes || error instanceof Broken;
    throw lost ? new Problem("audit_log_broken", { detail: error.message }) : error;
  }
}
