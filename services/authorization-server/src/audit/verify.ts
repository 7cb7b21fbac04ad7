import { after, type Instant, instantOf, minuteMs, toRfc3339 } from "@remit/kernel";
import {
  type AuditBreak,
  type AuditCheckpoint,
  base64url,
  type ChainVerifier,
  createChainVerifier,
  Problem,
} from "@remit/protocol";
import { sha256 } from "@remit/protocol/node";
import * as rows from "./audit.sql.ts";
import { type AuditDeps, entryOf, type LogName, wrongIn } from "./audit.ts";
import { anchoredCheckpoint, Broken, type Signed, signedFor } from "./checkpoint.ts";
import { removalsWithin } from "./removals.sql.ts";
import { removedAmong } from "./removals.ts";
import { edgeUnder, MissingHashes, rootAt } from "./tree.ts";

/** What of a log is verified: all of it, or what was recorded in a time. `before` is exclusive. */
export type AuditRange = { readonly from?: Instant; readonly before?: Instant };

export type Break = AuditBreak & { readonly eventId?: string };

export type AuditVerdict = {
  readonly verified: boolean;
  readonly checkedCount: number;
  readonly headSeq: number;
  /** The newest signed checkpoint that the log was held against, a compact JWS. */
  readonly checkpoint: string | undefined;
  readonly brokenAt?: Break;
};

/** Between two signed checkpoints: where the walk begins, and up to where it must come. */
export type Span = {
  readonly start: Signed | undefined;
  /** Undefined: the end of the log. */
  readonly end: Signed | undefined;
};

const pageMax = 1000;
// An entry gets its place a moment after its time: it was signed later than it, and hardly a minute later than that.
const slackMs = minuteMs;
const always = { from: instantOf(0), before: instantOf(Date.UTC(9999, 0)) };

export type VerifyLog = (tenant: LogName, range?: AuditRange) => Promise<AuditVerdict>;

/** One walk over a log at a time: whoever asks for the same again meanwhile gets the answer that is being found. */
export function createVerifications(deps: AuditDeps): VerifyLog {
  const running = new Map<LogName, { readonly of: string; readonly verdict: Promise<AuditVerdict> }>();
  return (tenant, range = {}) => {
    const of = `${range.from} ${range.before}`;
    const before = running.get(tenant);
    if (before?.of === of) return before.verdict;
    const settled = before?.verdict.catch(() => undefined) ?? Promise.resolve(undefined);
    const mine = { of, verdict: settled.then(() => verifyLog(deps, tenant, range)) };
    running.set(tenant, mine);
    const forget = (): void => void (running.get(tenant) === mine && running.delete(tenant));
    mine.verdict.then(forget, forget);
    return mine.verdict;
  };
}

/**
 * Recomputes a log, entry by entry, and holds it against every signed checkpoint, the one kept outside the database
 * included: so a change, a gap, a swap, a forged row and a cut tail are all found, also when made by the owner of the
 * database. A range is widened to the signed checkpoints around it; their signed times, not the rows', say which those are.
 * Memory stays flat: one page of entries and its checkpoints at a time.
 */
export async function verifyLog(
  deps: AuditDeps,
  tenant: LogName,
  range: AuditRange = {},
): Promise<AuditVerdict> {
  const progress = { checkedCount: 0, headSeq: 0, checkpoint: undefined as string | undefined };
  try {
    const span = await spanOf(deps, tenant, range);
    await walk({ deps, tenant, span, range, progress });
    return { verified: true, ...progress };
  } catch (error) {
    if (!(error instanceof Broken)) throw error;
    const named = await deps.db.of(tenant).transaction((tx) => rows.eventAt(tx, tenant, error.at.seq));
    const brokenAt = { ...error.at, ...(named === undefined ? {} : { eventId: named.event_id }) };
    return { verified: false, ...progress, brokenAt };
  }
}

/** The signed checkpoints around a range. Where one is not ours, or says another time than its row, the log is broken. */
async function spanOf(deps: AuditDeps, tenant: LogName, { from, before }: AuditRange): Promise<Span> {
  const found = await deps.db.of(tenant).transaction(async (tx) => ({
    start: from === undefined ? undefined : await rows.checkpointBefore(tx, tenant, after(from, -slackMs)),
    end: before === undefined ? undefined : await rows.checkpointAfter(tx, tenant, after(before, slackMs)),
  }));
  const signed = found.start === undefined ? undefined : signedFor(deps, tenant, found.start);
  // From a checkpoint without a root no tree can be grown, and at one none is held, which alone holds what was removed: it
  // is walked from the beginning then, and to the end.
  const start = signed?.says.root_hash === undefined ? undefined : signed;
  const ending = found.end === undefined ? undefined : signedFor(deps, tenant, found.end);
  const end = ending?.says.root_hash === undefined ? undefined : ending;
  if (start !== undefined && from !== undefined && start.says.signed_at > toRfc3339(after(from, -slackMs)))
    throw new Broken(start.says.head_seq, "a checkpoint was signed at another time than its row says");
  if (end !== undefined && before !== undefined && end.says.signed_at < toRfc3339(after(before, slackMs)))
    throw new Broken(end.says.head_seq, "a checkpoint was signed at another time than its row says");
  const reach = { from: from ?? always.from, before: before ?? always.before };
  return start === undefined && end === undefined
    ? { start, end }
    : widened(deps, tenant, { start, end, reach });
}

/** Peers' events keep their own time, and may get their place hours later: a span takes in the places of all its entries. */
async function widened(
  deps: AuditDeps,
  tenant: LogName,
  { start, end, reach }: Span & { readonly reach: Required<AuditRange> },
): Promise<Span> {
  const found = await deps.db.of(tenant).transaction(async (tx) => {
    const { first, last } = await rows.placesWithin(tx, tenant, reach);
    const early = start !== undefined && first !== null && first <= start.says.head_seq;
    const late = end !== undefined && last !== null && last > end.says.head_seq;
    return {
      first: early ? first : undefined,
      last: late ? last : undefined,
      below: early ? await rows.checkpointBelow(tx, tenant, first) : undefined,
      over: late ? await rows.checkpointOver(tx, tenant, last) : undefined,
    };
  });
  const below = found.below === undefined ? undefined : signedFor(deps, tenant, found.below);
  const over = found.over === undefined ? undefined : signedFor(deps, tenant, found.over);
  const moved = "a checkpoint was signed over another place than its row says";
  if (below !== undefined && found.first !== undefined && below.says.head_seq >= found.first)
    throw new Broken(below.says.head_seq, moved);
  if (over !== undefined && found.last !== undefined && over.says.head_seq < found.last)
    throw new Broken(over.says.head_seq, moved);
  return { start: found.first === undefined ? start : below, end: found.last === undefined ? end : over };
}

/** The same for whoever verifies a range without us, with the right edge of the tree where it begins. */
export async function placesOf(
  deps: AuditDeps,
  tenant: LogName,
  range: AuditRange,
): Promise<Span & { readonly edge: readonly Uint8Array[] | undefined }> {
  try {
    const span = await spanOf(deps, tenant, range);
    const edge = span.start === undefined ? [] : await edgeOfStart(deps, tenant, span.start.says);
    return { ...span, edge };
  } catch (error) {
    if (error instanceof Broken) throw new Problem("audit_log_broken", { detail: error.message });
    throw error;
  }
}

type Walk = {
  readonly deps: AuditDeps;
  readonly tenant: LogName;
  readonly span: Span;
  readonly range: AuditRange;
  readonly progress: { checkedCount: number; headSeq: number; checkpoint: string | undefined };
};

async function walk(given: Walk): Promise<void> {
  const { deps, tenant, span, range, progress } = given;
  const start = span.start?.says;
  const begin = start === undefined ? undefined : await beginAt(deps, tenant, start);
  const anchored = await anchoredCheckpoint(deps, tenant);
  const remember = new Set(anchored === undefined ? [] : [anchored.says.head_seq]);
  const verifier = createChainVerifier(sha256, tenant, {
    remember,
    ...(begin === undefined ? {} : { after: begin }),
  });
  const first = verifier.headSeq;
  progress.headSeq = first;
  const to = span.end?.says.head_seq ?? Number.MAX_SAFE_INTEGER;
  while (verifier.headSeq < to) {
    if (!(await walkPage(given, verifier, to))) break;
  }
  if (span.end !== undefined) holds(verifier, span.end.says);
  else await walkEnd(given, verifier);
  if (anchored !== undefined && anchored.says.head_seq > first && anchored.says.head_seq <= to)
    holds(verifier, anchored.says);
  const unheld = verifier.unheld();
  if (unheld !== undefined) throw new Broken(unheld.seq, unheld.reason);
  const within = { ...always, ...range };
  const { stray, aside } = await deps.db.of(tenant).transaction(async (tx) => ({
    stray: (await rows.strayRows(tx, tenant, within))[0],
    aside: await rows.anyAside(tx, tenant),
  }));
  if (aside !== undefined)
    throw new Broken(verifier.headSeq + 1, `${aside.event_id} got no place in the chain: ${aside.reason}`);
  if (stray !== undefined)
    throw new Broken(verifier.headSeq + 1, `${stray.event_id} was never taken into the chain`);
}

/** A walk that begins behind a checkpoint begins with the tree that it names. */
async function beginAt(deps: AuditDeps, tenant: LogName, start: AuditCheckpoint) {
  const edge = await edgeOfStart(deps, tenant, start);
  return { seq: start.head_seq, entryHash: start.head_entry_hash, edge };
}

async function edgeOfStart(
  { db }: AuditDeps,
  tenant: LogName,
  start: AuditCheckpoint,
): Promise<readonly Uint8Array[] | undefined> {
  const edge = await hashesKept(start.head_seq, () =>
    db.of(tenant).transaction((tx) => edgeUnder(tx, tenant, start)),
  );
  if (edge === "wrong") throw new Broken(start.head_seq, treeDiffers);
  return edge;
}

/** One page of entries with the checkpoints over them; false when there are no more. */
async function walkPage(
  { deps, tenant, progress }: Walk,
  verifier: ChainVerifier,
  to: number,
): Promise<boolean> {
  const before = verifier.headSeq;
  const limit = Math.min(pageMax, to - before);
  const { page, signed } = await deps.db.of(tenant).transaction(async (tx) => ({
    page: await rows.readChain(tx, tenant, { after: before, limit }),
    // There is at most one checkpoint for a place.
    signed: await rows.readCheckpoints(tx, tenant, { after: before, limit }),
  }));
  const removed = await removedWithin(deps, tenant, page);
  const over = new Map(signed.map(({ head_seq, jws }) => [Number(head_seq), jws]));
  for (const row of page) {
    const broken = row.body === null ? pass(verifier, row, removed) : accept(verifier, row);
    if (broken !== undefined) throw new Broken(broken.seq, broken.reason);
    const jws = over.get(verifier.headSeq);
    if (jws !== undefined) holds(verifier, signedFor(deps, tenant, { jws, seq: verifier.headSeq }).says);
    progress.checkpoint = jws ?? progress.checkpoint;
    progress.headSeq = verifier.headSeq;
    progress.checkedCount += 1;
  }
  return page.length === limit;
}

/** Which of the places whose body is not there were removed by a statement that we signed. */
async function removedWithin(
  deps: AuditDeps,
  tenant: LogName,
  page: readonly rows.CheckedRow[],
): Promise<ReadonlySet<number>> {
  const missing = page.filter(({ body }) => body === null).map(({ seq }) => Number(seq));
  const [first, last] = [missing[0], missing.at(-1)];
  if (first === undefined || last === undefined) return new Set();
  const by = await deps.db.of(tenant).transaction((tx) => removalsWithin(tx, tenant, { first, last }));
  return removedAmong(deps, tenant, { places: missing, by });
}

function pass(
  verifier: ChainVerifier,
  row: rows.CheckedRow,
  removed: ReadonlySet<number>,
): AuditBreak | undefined {
  const seq = Number(row.seq);
  if (!removed.has(seq)) return { seq, reason: "the entry was removed, and no signed statement says so" };
  return verifier.pass({ seq, prev_hash: row.prev_hash, entry_hash: row.entry_hash, leaf: row.leaf });
}

/** Whatever is thrown here is thrown over what the row holds: a row that cannot be read breaks the log, not its verification. */
function accept(verifier: ChainVerifier, row: rows.CheckedRow): AuditBreak | undefined {
  try {
    const wrong = wrongIn(row);
    return wrong === undefined
      ? verifier.accept(entryOf(row), row.leaf)
      : { seq: Number(row.seq), reason: wrong };
  } catch {
    return { seq: Number(row.seq), reason: "the entry cannot be read" };
  }
}

/** At the end of the log: nothing signed lies beyond, and it is where its sequencer left it. */
async function walkEnd(given: Walk, verifier: ChainVerifier): Promise<void> {
  const { deps, tenant } = given;
  for (;;) {
    const at = verifier.headSeq;
    const { beyond, head } = await deps.db.of(tenant).transaction(async (tx) => ({
      beyond: await rows.newestCheckpoint(tx, tenant),
      head: await rows.headSeq(tx, tenant),
    }));
    if (head < at) throw new Broken(head + 1, "the entry was put behind the end of the log");
    if (head > at) {
      // Recorded while we walked, or gone.
      await walkPage(given, verifier, head);
      if (verifier.headSeq === at) throw new Broken(at + 1, "an entry is missing at the end");
      continue;
    }
    if (beyond !== undefined) {
      const { says } = signedFor(deps, tenant, beyond);
      if (says.head_seq >= at) holds(verifier, says);
      await treeHolds(deps, tenant, says);
    }
    return;
  }
}

/** The hashes that are kept of the tree, which every proof is made from, give the root that was signed. */
async function treeHolds(
  deps: AuditDeps,
  tenant: LogName,
  { head_seq, root_hash }: AuditCheckpoint,
): Promise<void> {
  if (root_hash === undefined) return;
  const kept = await hashesKept(head_seq, () =>
    deps.db.of(tenant).transaction((tx) => rootAt(tx, tenant, head_seq)),
  );
  if (base64url.encode(kept) !== root_hash) throw new Broken(head_seq, treeDiffers);
}

const treeDiffers = "the tree differs from its signed checkpoint";

async function hashesKept<R>(seq: number, read: () => Promise<R>): Promise<R> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof MissingHashes ? new Broken(seq, error.message) : error;
  }
}

function holds(verifier: ChainVerifier, checkpoint: AuditCheckpoint): void {
  const broken = verifier.holds(checkpoint);
  if (broken !== undefined) throw new Broken(broken.seq, broken.reason);
}
