import { type Clock, type Id, type Instant, invariant, toRfc3339 } from "@remit/kernel";
import type { SigningKeys } from "@remit/platform/keys";
import type { Database, Sql, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import {
  type AuditBody,
  type AuditEntry,
  type AuditGap,
  type AuditLink,
  base64url,
  chainEntry,
  genesisHash,
} from "@remit/protocol";
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

/**
 * Gives every waiting row of one log its place. One transaction per batch, under the lock of the log's head. A row that is
 * not what was recorded is set aside and told of: it keeps no other waiting, and is never signed as if it were.
 */
export async function sequence({ db, log, clock }: AuditDeps, tenant: LogName): Promise<number> {
  let placed = 0;
  for (;;) {
    const batch = await db.of(tenant).transaction((tx) => sequenceBatch(tx, clock.now()));
    for (const row of batch.aside) log.error({ tenant, ...row }, "an event got no place in the audit log");
    placed += batch.placed;
    if (batch.taken < batchMax) return placed;
  }
}

type Batch = { readonly taken: number; readonly placed: number; readonly aside: readonly rows.Aside[] };

async function sequenceBatch(tx: TenantTx<LogName>, now: Instant): Promise<Batch> {
  const head = await rows.lockHead(tx, tx.tenant, genesisHash);
  const queued = await rows.takeQueued(tx, tx.tenant, batchMax);
  const aside: rows.Aside[] = [];
  let seq = Number(head.seq);
  let hash = head.entry_hash;
  const checkpointSeq = Number(head.checkpoint_seq);
  const checkpointJti = head.checkpoint_jti;
  const places: rows.Place[] = [];
  for (const row of queued) {
    const next = { seq: seq + 1, prev_hash: hash };
    const link = { ...next, sig_chain_head_seq: checkpointSeq, sig_chain_head_jti: checkpointJti };
    const chained = row.placed ? "it has its place already" : chain(row, tx.tenant, link);
    if (typeof chained === "string") {
      aside.push({ eventId: row.event_id, reason: chained });
      continue;
    }
    const { entry, leaf } = chained;
    const at = { seq: link.seq, prevHash: hash, entryHash: entry.entry_hash, checkpointSeq, checkpointJti };
    places.push({ ...at, eventId: row.event_id, leaf });
    seq = link.seq;
    hash = entry.entry_hash;
  }
  if (places.length > 0) {
    await rows.insertPlaces(tx, tx.tenant, places);
    const moved = await rows.moveHead(tx, tx.tenant, { seq, hash });
    invariant(moved.count === 1, "the head of a chain only moves forward");
  }
  const lost = aside.filter(({ eventId }) => !queued.some((row) => row.event_id === eventId && row.placed));
  if (lost.length > 0) await rows.setAside(tx, { tenant: tx.tenant, at: now, lost });
  return { taken: queued.length, placed: places.length, aside };
}

/** A queued row as an entry of the chain, or why it can be none. */
function chain(
  row: rows.QueuedRow,
  tenant: LogName,
  link: AuditLink,
): { entry: AuditEntry; leaf: Uint8Array } | string {
  try {
    if (row.body === null || row.digest === null) return "there is no such row";
    const wrong = wrongIn({ ...row, digest: row.digest });
    if (wrong !== undefined) return wrong;
    const body = parseBody(row.body);
    return body.tenant_id === tenant ? chainEntry(sha256, body, link) : "the entry belongs to another tenant";
  } catch {
    return "the entry cannot be read";
  }
}

/** The body is hashed as it is stored: bytes that parse to the same value are still a change. So are the columns beside it. */
export function wrongIn(row: rows.RecordedRow): string | undefined {
  if (row.body === null) return "the entry is missing";
  if (Buffer.compare(sha256(row.body), row.digest) !== 0) return "the entry was changed";
  const { id, ts, event, subject } = parseBody(row.body);
  if (id !== row.event_id || row.at === null || ts !== toRfc3339(row.at)) return filedElsewhere;
  return event === row.event && subject === row.subject ? undefined : filedElsewhere;
}
const filedElsewhere = "the entry is filed as something else than it says";

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
  ...parseBody(row.body ?? "null"),
  seq: Number(row.seq),
  prev_hash: row.prev_hash,
  sig_chain_head_seq: Number(row.sig_chain_head_seq),
  sig_chain_head_jti: row.sig_chain_head_jti,
  entry_hash: row.entry_hash,
});

/** The newest entries of some kinds, also before they have a place in the chain. */
export const recentOf = async (tx: Sql, events: readonly string[], limit: number): Promise<AuditBody[]> =>
  (await rows.recentBodies(tx, events, limit)).flatMap(({ body }) =>
    body === null ? [] : (readBody(body) ?? []),
  );

/** What the log has about one subject, newest first. */
export const entriesAbout = async (
  tx: Sql,
  page: { readonly subject: string; readonly before: Id<"event"> | undefined; readonly limit: number },
): Promise<AuditBody[]> =>
  (await rows.bodiesAbout(tx, page)).flatMap(({ body }) => (body === null ? [] : (readBody(body) ?? [])));

/** A place as it is shown: its entry, or that there is none that could be read. No row keeps the others from being read. */
export function shownOf(row: rows.ChainRow & { readonly removal?: string | null }): AuditEntry | AuditGap {
  if (row.body !== null && readBody(row.body) !== undefined) return entryOf(row);
  const said = row.body === null && typeof row.removal === "string" ? row.removal : undefined;
  return {
    seq: Number(row.seq),
    id: row.event_id,
    prev_hash: row.prev_hash,
    entry_hash: row.entry_hash,
    leaf: base64url.encode(row.leaf),
    ...(said === undefined ? { missing: "unreadable" } : { missing: "removed", removed_by: said }),
  };
}

export const isGap = (shown: AuditEntry | AuditGap): shown is AuditGap => "missing" in shown;

/** What can be shown of a body, also of one that somebody has changed. */
export function readBody(text: string): AuditBody | undefined {
  try {
    const { id, ts, tenant_id, event, actor, payload } = parseBody(text);
    const texts = [id, ts, tenant_id, event].every((value) => typeof value === "string");
    const objects = [actor, payload].every((value) => typeof value === "object" && value !== null);
    return texts && objects ? parseBody(text) : undefined;
  } catch {
    return undefined;
  }
}

// We wrote it ourselves as the JCS of an AuditBody; whoever changed it since is found by its digest.
const parseBody = (text: string): AuditBody => JSON.parse(text) as AuditBody;
