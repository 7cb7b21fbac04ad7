import { after, type Clock, type Id, type Instant, parseId, secondMs } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { KeySource, Outbound } from "@remit/platform/outbound";
import type { Peer } from "@remit/platform/peers";
import type { Database, Tx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { keyIdOf, Problem, type SecurityEvent, type SignalName } from "@remit/protocol";
import { verifySecurityEvent } from "@remit/protocol/node";
import * as rows from "./signals.sql.ts";

/** Has a job read for itself how something stands; in the transaction that writes the signal. */
export type Look = (tx: Tx) => Promise<void>;

export type SignalDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly issuer: string;
  /** Where the issuer is to post signals. */
  readonly endpoint: string;
  readonly keys: KeySource;
  readonly peer: Pick<Peer, "call">;
  readonly outbound: Pick<Outbound, "request">;
  /** What is to be looked at when something is said of it; undefined when it is none of ours. */
  readonly behind: {
    charge(id: Id<"charge">): Promise<readonly Look[] | undefined>;
    dispute(id: Id<"dispute">): Promise<readonly Look[] | undefined>;
  };
  /** Told what became of each signal, and how it came. */
  readonly count: (outcome: Outcome, by: By) => void;
};

export type By = "push" | "poll";
export type Outcome = rows.Outcome | "replayed" | "refused";

/**
 * What billing asks to be told of: what charges and disputes came to at the issuer, so that it looks where it has not come to the
 * same. Not that they were authorized: of that the issuer knows from billing alone, and each purchase would be read once more.
 */
export const wanted = [
  "oid4ac.dispute.answered",
  "oid4ac.dispute.lost",
  "oid4ac.dispute.opened",
  "oid4ac.dispute.withdrawn",
  "oid4ac.dispute.won",
  "oid4ac.payment.declined",
  "oid4ac.payment.refund_refused",
  "oid4ac.payment.refunded",
  "oid4ac.payment.released",
  "oid4ac.payment.succeeded",
] as const satisfies readonly SignalName[];

/** How a signal came, and of which stream that is. */
export type Came = { readonly by: By; readonly stream: rows.Stream };

/**
 * Takes one signal. It is written down once, with the jobs that look for themselves at what it names: of amounts and states in it
 * nothing is believed. Throws `invalid_request` for what is no signal for us.
 */
export async function hear(deps: SignalDeps, token: string, { by, stream }: Came): Promise<void> {
  const { issuer, clock } = deps;
  const { audience } = stream;
  try {
    const keys = await deps.keys(keyIdOf(token));
    const event = verifySecurityEvent({ token, issuer, audience, keys, now: clock.now() });
    deps.count(await write(deps, stream, event), by);
  } catch (error) {
    if (error instanceof Problem && error.code === "invalid_request") deps.count("refused", by);
    throw error;
  }
}

type Meaning = {
  readonly outcome: rows.Outcome;
  readonly about: string | null;
  readonly looks: readonly Look[];
};

/** What a signal has jobs look at, also one that was not asked for. Who is named counts, what is said of it does not. */
async function meaningOf({ behind }: SignalDeps, { name, subject, data }: SecurityEvent): Promise<Meaning> {
  const isOurs = name?.startsWith("oid4ac.payment.") === true || name?.startsWith("oid4ac.dispute.") === true;
  const charge = isOurs ? parseId("charge", data["charge"]) : undefined;
  const dispute = isOurs ? parseId("dispute", subject["id"]) : undefined;
  const about = dispute ?? charge;
  if (about === undefined) return { outcome: "passed", about: null, looks: [] };
  const found = await Promise.all([
    charge === undefined ? undefined : behind.charge(charge),
    dispute === undefined ? undefined : behind.dispute(dispute),
  ]);
  if (found.every((one) => one === undefined)) return { outcome: "unknown", about, looks: [] };
  const looks = found.flatMap((one) => one ?? []);
  return { outcome: looks.length === 0 ? "known" : "hinted", about, looks };
}

/** Once for all who come to its place or its name; one that is another than the one there is refused. */
async function write(
  deps: SignalDeps,
  { id: stream }: rows.Stream,
  event: SecurityEvent,
): Promise<Exclude<Outcome, "refused">> {
  const { seq, jti, txn, type } = event;
  const { outcome, about, looks } = await meaningOf(deps, event);
  const written = await deps.db.global.transaction(async (tx) => {
    const known = await rows.lockStream(tx, stream);
    const before = await rows.heardAs(tx, { stream, seq, jti });
    if (before.some((one) => one.jti !== jti || Number(one.seq) !== seq)) return "contradicts";
    // What was forgotten long ago has been heard all the same.
    if (before.length > 0 || (known !== undefined && seq <= known.whole)) return "replayed";
    const now = deps.clock.now();
    const stands = await rows.writeSignal(tx, { stream, seq, jti, txn, type, outcome, about, now });
    for (const look of looks) await look(tx);
    // Of a gap that stood before there is a job, which waits longer each time that nothing comes.
    const isNew = stands.gapSince !== null && stands.gapSince !== known?.gapSince;
    if (isNew && stands.endedAt === null) await fetchSoon(tx, { stream, now });
    return outcome;
  });
  const fields = { stream, seq, jti, type, about };
  if (written === "contradicts") {
    deps.log.error(fields, "two signals have one place or one name: somebody must look");
    throw new Problem("invalid_request", { detail: "Another signal has this place, or this name." });
  }
  if (written === "unknown") deps.log.warn(fields, "a signal is about nothing of ours");
  return written;
}

/** The queue of streams of which something has not arrived. */
export const fetchQueue = "signals.fetch";

// Two that were posted at once may come in any order: that is no gap yet.
const graceMs = secondMs;

const fetchSoon = (tx: Tx, { stream, now }: { stream: string; now: Instant }): Promise<void> =>
  enqueue(tx, { queue: fetchQueue, key: stream, payload: { stream }, runAt: after(now, graceMs) });
