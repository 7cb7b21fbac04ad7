import { type Clock, type Id, invariant } from "@remit/kernel";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { type AuditBody, type AuditEntry, chainEntry, genesisHash } from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import type { Anchor } from "./anchor.ts";
import * as rows from "./audit.sql.ts";

export type LogName = Id<"tenant"> | "platform";

export type AuditDeps = {
  readonly db: Database;
  readonly keys: SigningKeys;
  readonly anchor: Anchor;
  readonly clock: Clock;
  readonly issuer: string;
  readonly log: Log;
};

const batchMax = 500;

/** Gives every waiting row of one log its place. One transaction per batch, under the lock of the log's head. */
export async function sequence({ db }: AuditDeps, tenant: LogName): Promise<number> {
  let placed = 0;
  for (;;) {
    const count = await db.of(tenant).transaction((tx) => sequenceBatch(tx));
    placed += count;
    if (count < batchMax) return placed;
  }
}

async function sequenceBatch(tx: TenantTx<LogName>): Promise<number> {
  const head = await rows.lockHead(tx, tx.tenant, genesisHash);
  const queued = await rows.takeQueued(tx, tx.tenant, batchMax);
  if (queued.length === 0) return 0;
  let seq = Number(head.seq);
  let hash = head.entry_hash;
  const checkpointSeq = Number(head.checkpoint_seq);
  const checkpointJti = head.checkpoint_jti;
  const places: rows.Place[] = [];
  for (const { event_id: eventId, body } of queued) {
    seq += 1;
    const link = {
      seq,
      prev_hash: hash,
      sig_chain_head_seq: checkpointSeq,
      sig_chain_head_jti: checkpointJti,
    };
    const { entry, leaf } = chainEntry(sha256, parseBody(body), link);
    places.push({
      seq,
      eventId,
      prevHash: hash,
      entryHash: entry.entry_hash,
      checkpointSeq,
      checkpointJti,
      leaf,
    });
    hash = entry.entry_hash;
  }
  await rows.insertPlaces(tx, tx.tenant, places);
  const moved = await rows.moveHead(tx, tx.tenant, { seq, hash });
  invariant(moved.count === 1, "the head of a chain only moves forward");
  return queued.length;
}

/** The log from after a place on, at most `limit` entries, as everybody may verify them. */
export const readEntries = (
  db: Database,
  tenant: LogName,
  page: { readonly after: number; readonly limit: number },
): Promise<AuditEntry[]> =>
  db
    .of(tenant)
    .transaction(async (tx) => (await rows.readChain(tx, tenant, page)).map((row) => entryOf(row)));

/** Where a log ends. */
export const headOf = ({ db }: Pick<AuditDeps, "db">, tenant: LogName): Promise<number> =>
  db.of(tenant).transaction((tx) => rows.headSeq(tx, tenant));

export const entryOf = (row: rows.ChainRow): AuditEntry => ({
  ...parseBody(row.body),
  seq: Number(row.seq),
  prev_hash: row.prev_hash,
  sig_chain_head_seq: Number(row.sig_chain_head_seq),
  sig_chain_head_jti: row.sig_chain_head_jti,
  entry_hash: row.entry_hash,
});

/** The newest entries of some kinds, also before they have a place in the chain. */
export const recentOf = async (tx: Sql, events: readonly string[], limit: number): Promise<AuditBody[]> =>
  (await rows.recentBodies(tx, events, limit)).map(({ body }) => parseBody(body));

// We wrote it ourselves as the JCS of an AuditBody; whoever changed it since is found by its digest.
const parseBody = (text: string): AuditBody => JSON.parse(text) as AuditBody;
