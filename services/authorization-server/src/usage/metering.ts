import { type Id, type Instant, instantOf, minuteMs } from "@remit/kernel";
import { pause } from "@remit/platform/jobs";
import {
  isAfter,
  isOutboxRead,
  outboxEnd,
  type Position,
  type Recorded,
  readOutbox,
} from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import * as rows from "./metering.sql.ts";

const consumer = "usage";
const batchMax = 1_000;
/** Every time zone's days begin with a quarter of an hour. */
const quarterMs = 15 * minuteMs;

/** Tokens of one client within one quarter of an hour. */
export type Issued = {
  readonly tenant: Id<"tenant">;
  readonly quarter: Instant;
  readonly client: string;
  readonly tokens: number;
  readonly lastAt: Instant;
};

/**
 * Counts what has been issued since it was counted last. The record of it is the event that was written with the token:
 * nothing is lost with a process, and what was handed out twice is counted once, because how far it is counted is saved
 * with the counts.
 */
export async function meter(db: Database): Promise<void> {
  for (;;) {
    const read = await readOutbox(db.relay, { consumer, limit: batchMax }, (events, at) =>
      count(db, events, at),
    );
    if (read < batchMax) break;
  }
  const now = await rows.databaseTime(db.single);
  if (await isOutboxRead(db.relay, consumer)) await rows.saveCaughtUp(db.single, now);
}

/** Counts everything that was issued before now, as long as that takes no more than a while; others count too. */
export async function meterAll(db: Database): Promise<void> {
  const end = await outboxEnd(db.relay);
  if (end === undefined) return;
  for (let tries = 0; tries < triesMax; tries++) {
    if (!isAfter(end, await rows.findMetered(db.single))) return;
    if (tries > 0) await pause(pauseMs);
    await meter(db);
  }
}

const triesMax = 40;
const pauseMs = 25;

const count = (db: Database, events: readonly Recorded[], at: readonly Position[]): Promise<void> =>
  db.global.transaction(async (tx) => {
    const until = await rows.lockMetered(tx);
    const fresh = events.filter((_, index) => isAfter(at[index] ?? until, until));
    const issued = issuedIn(fresh);
    if (issued.length > 0) await rows.addUsage(tx, issued);
    const last = at.at(-1);
    if (last !== undefined && isAfter(last, until)) await rows.saveMetered(tx, last);
  });

/** What events say was issued, together by tenant, client and quarter of an hour. */
export function issuedIn(events: readonly Recorded[]): Issued[] {
  const sums = new Map<string, Issued>();
  for (const { type, tenant, at, payload, actor } of events) {
    if (type !== "token.issued" || tenant === "platform") continue;
    const quarter = instantOf(Math.floor(at / quarterMs) * quarterMs);
    const key = `${tenant} ${actor.id} ${quarter}`;
    const before = sums.get(key);
    const { jti } = payload;
    const tokens = (before?.tokens ?? 0) + (Array.isArray(jti) ? jti.length : 1);
    sums.set(key, {
      tenant,
      quarter,
      client: actor.id,
      tokens,
      lastAt: before && before.lastAt > at ? before.lastAt : at,
    });
  }
  return [...sums.values()];
}
