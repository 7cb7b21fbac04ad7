import { after, type Clock, type Instant, secondMs } from "@remit/kernel";
import { failpoint } from "@remit/platform/failpoint";
import { settledWithin } from "@remit/platform/host";
import { platformTenant } from "@remit/platform/http";
import type { Asking, Follower } from "@remit/platform/jobs";
import type { Outbound } from "@remit/platform/outbound";
import type { Database, TenantTx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { newEvent } from "@remit/protocol";
import { failingMsMax, nextTry, type Pushed, push } from "./push.ts";
import type { PushHeaders } from "./push-headers.ts";
import { type SigningDeps, tokenOf } from "./signing.ts";
import { findStream, saveStream } from "./streams.sql.ts";
import { opaque } from "./subjects.ts";
import { tell } from "./tell.ts";
import * as rows from "./waiting.sql.ts";

export type PusherDeps = SigningDeps & {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly headers: PushHeaders;
  /** To where tenants said. */
  readonly outbound: Pick<Outbound, "request">;
  /** To services of ours. */
  readonly inside: Pick<Outbound, "request">;
  /** How long a receiver may take, answer included. */
  readonly timeoutMs?: number | undefined;
  /** Told how each push ended. */
  readonly pushed: (outcome: Pushed["kind"]) => void;
};

const timeoutMsDefault = 10 * secondMs;
/** Streams at once in this process. */
const lanesMax = 64;
/** Of one tenant: whose receivers are slow keeps no other waiting. */
const share = 8;
/** Kept for services of ours: of organizations there may be enough to hold all the others. */
const insideMax = 4;
/** What is still under way when the process stops. */
const drainMsMax = 5 * secondMs;
const system = { type: "system", id: "authorization-server" } as const;

type Held = { readonly lane: rows.Lane; readonly since: Instant; lost: boolean; done: Promise<void> };
type Pusher = PusherDeps & { readonly asking: Asking; readonly held: Map<string, Held>; closing: boolean };

/** A signal on its way out. */
type Sending = {
  readonly signal: rows.Signal;
  readonly to: rows.Pushing;
  readonly header: string | undefined;
};
type Settled = { readonly sent: Sending; readonly outcome: Pushed };

/**
 * Pushes what waits, stream by stream and each in its order, at least once. A stream's lane is leased before anything is
 * sent, and what a receiver took is forgotten when it said so: whoever dies in between has it sent once more (`jti` says so).
 * No transaction is open while a receiver is spoken to.
 */
export function createPusher(deps: PusherDeps, asking: Asking): Follower {
  const pusher: Pusher = { ...deps, asking, held: new Map(), closing: false };
  const { held } = pusher;
  return {
    look: async () => {
      if (pusher.closing) return;
      const now = deps.clock.now();
      for (const lane of await taken(pusher, now)) carry(pusher, lane, now);
    },
    holdsAny: () => held.size > 0,
    renew: async (tx) => {
      const all = [...held.values()];
      const ours = await rows.renewLanes(
        tx,
        all.map(({ lane }) => lane),
        asking.leaseMs,
      );
      for (const one of all) if (!ours.has(one.lane.stream)) one.lost = true;
    },
    drained: async () => {
      pusher.closing = true;
      const ended = Promise.all([...held.values()].map(({ done }) => done));
      await settledWithin(ended, drainMsMax);
      pusher.closing = false;
    },
  };
}

/** What we take on now: of services of ours first, then of organizations what leaves room for them. */
async function taken({ db, held, asking: { leaseMs } }: Pusher, now: Instant): Promise<rows.Lane[]> {
  const all = [...held.values()].map(({ lane }) => lane.tenant);
  const outside = all.filter((tenant) => tenant !== platformTenant);
  const free = lanesMax - all.length;
  if (free <= 0) return [];
  return db.relay.transaction(async (tx) => {
    const ours = { platform: platformTenant, inside: true, held: [], share: lanesMax, limit: free };
    const inside = await rows.takeLanes(tx, { ...ours, now, leaseMs });
    const limit = Math.min(free - inside.length, lanesMax - insideMax - outside.length);
    if (limit <= 0) return inside;
    const theirs = { platform: platformTenant, inside: false, held: outside, share, limit };
    return [...inside, ...(await rows.takeLanes(tx, { ...theirs, now, leaseMs }))];
  });
}

function carry(pusher: Pusher, lane: rows.Lane, since: Instant): void {
  const { held, asking, log } = pusher;
  const work = async (): Promise<void> => {
    try {
      let settled: Settled | undefined;
      for (;;) {
        const sending = await step(pusher, one, settled);
        if (sending === undefined) break;
        settled = { sent: sending, outcome: await sent(pusher, sending) };
        await failpoint("signals.pushed");
      }
    } catch (error) {
      // Its lease runs out, and whoever takes it next sends on.
      log.warn({ error, stream: lane.stream }, "a stream could not be pushed");
    }
    held.delete(lane.stream);
    asking.ask();
  };
  const one: Held = { lane, since, lost: false, done: Promise.resolve() };
  held.set(lane.stream, one);
  one.done = work();
}

/**
 * Writes down how the last push ended, and takes the next one; undefined when the lane is given back: nothing waits, the
 * receiver is left alone for a while, or another has taken over.
 */
function step(
  pusher: Pusher,
  { lane, since, lost }: Held,
  settled: Settled | undefined,
): Promise<Sending | undefined> {
  const { db, clock, headers, closing, asking } = pusher;
  return db.of(lane.tenant).transaction(async (tx) => {
    // Locks go stream, lane, as where signals get their places.
    const to = await rows.lockPushing(tx, lane.stream);
    if (lost || !(await rows.lockLane(tx, lane))) return undefined;
    const now = clock.now();
    const again = settled === undefined ? undefined : await settle(tx, lane, { ...settled, to, now });
    // A turn is as long as a lease: whoever waits longer comes first when lanes are taken next.
    const isOver = settled !== undefined && now >= after(since, asking.leaseMs);
    if (again !== undefined || closing || isOver) {
      await rows.releaseLane(tx, lane, again ?? now);
      return undefined;
    }
    const [signal] = to === undefined ? [] : await rows.firstWaiting(tx, lane.stream, 1);
    if (to === undefined || signal === undefined) {
      await rows.releaseLane(tx, lane, undefined);
      return undefined;
    }
    const header = to.header === null ? undefined : await headers.open(tx, lane, to.header);
    return { signal, to, header };
  });
}

async function sent(pusher: Pusher, { signal, to, header }: Sending): Promise<Pushed> {
  const { inside, outbound, timeoutMs = timeoutMsDefault, pushed } = pusher;
  const token = await tokenOf(pusher, to, signal);
  const door = to.wide ? inside : outbound;
  const outcome = await push(door, { endpoint: to.endpoint, header, token, timeoutMs });
  pushed(outcome.kind);
  return outcome;
}

type Settling = Settled & { readonly to: rows.Pushing | undefined; readonly now: Instant };

/** Writes down how a push ended; when it is tried again, if it failed. */
async function settle(
  tx: TenantTx,
  { stream }: rows.Lane,
  { sent: { signal }, outcome, to, now }: Settling,
): Promise<Instant | undefined> {
  if (outcome.kind !== "failed") {
    await rows.forget(tx, stream, [signal.jti]);
    if (to !== undefined && to.failures > 0) await rows.saveFailures(tx, stream, undefined);
    return undefined;
  }
  // It is pushed no more, or it is no more.
  if (to === undefined) return undefined;
  const failures = to.failures + 1;
  const since = to.failingSince ?? now;
  await rows.saveFailures(tx, stream, { failures, since });
  if (now >= after(since, failingMsMax)) await pause(tx, stream, now);
  return nextTry({ failures, retryAfter: outcome.retryAfter }, now);
}

/** Leaves a receiver alone that takes nothing: its stream says so itself, and keeps what it would tell (SSF 1.0 §8.1.5). */
async function pause(tx: TenantTx, id: rows.Lane["stream"], now: Instant): Promise<void> {
  const stream = await findStream(tx, { id, client: undefined }, "update");
  if (stream?.status !== "enabled") return;
  const reason = "The receiver has taken nothing for days.";
  await saveStream(tx, { ...stream, status: "paused", reason, updatedAt: now }, { header: undefined });
  const data = { status: "paused", reason };
  await tell(
    tx,
    [{ tenant: tx.tenant, stream: id, name: "ssf.stream-updated", subject: opaque(id), data }],
    now,
  );
  const facts = { tenant: tx.tenant, actor: system, subject: id, payload: { because: "failing" } };
  await tx.record(newEvent("stream.paused", facts, now));
}
