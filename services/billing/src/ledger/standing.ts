import { type Clock, hourMs, type Instant, toRfc3339 } from "@remit/kernel";
import type { Database, Tx } from "@remit/platform/sql";
import type { Log } from "@remit/platform/telemetry";
import { Problem } from "@remit/protocol";
import { type Check, check } from "./check.ts";
import * as rows from "./standing.sql.ts";

/** What the last check of the books found, in whichever process it ran. */
export type Standing = {
  /** When the newest check began that has come to its end. */
  readonly checkedAt: Instant | null;
  readonly haltedSince: Instant | null;
  readonly failingSince: Instant | null;
};

export type WatchDeps = { readonly db: Database; readonly clock: Clock; readonly log: Log };

export const standingOf = (db: Database): Promise<Standing> =>
  db.global.transaction((tx) => rows.standing(tx));

/**
 * Reads the books of every tenant and notes how they stand: from the first check that finds them wrong until one that finds
 * them right, no money leaves the platform (R06). A check that comes to no end proves neither, and is noted as that. Two may
 * run at once: what one finds right takes back nothing that a check which began later has found wrong.
 */
export async function watchBooks({ db, clock, log }: WatchDeps): Promise<Check> {
  const began = clock.now();
  const books = await check(db).catch(async (error: unknown) => {
    await db.global.transaction((tx) => rows.noteFailing(tx, clock.now()));
    log.error({ error }, "the books could not be checked: nobody knows whether they are right");
    throw error;
  });
  const { balanced } = books;
  await db.global.transaction((tx) => rows.noteChecked(tx, { balanced, began }));
  if (!balanced)
    log.error(
      { assets: books.assets.map(({ asset, imbalance }) => ({ asset, imbalance: String(imbalance) })) },
      "the ledger is not the sum of its postings: no money leaves the platform, somebody must look",
    );
  return books;
}

const everyMs = 6 * hourMs;

/** Whether to check now: when the last check is old, and at each look while it found something or came to no end. */
export const isDue = ({ checkedAt, haltedSince, failingSince }: Standing, now: Instant): boolean =>
  checkedAt === null || haltedSince !== null || failingSince !== null || now - checkedAt >= everyMs;

/** Before money begins to leave the platform, in the transaction that says so. Throws `payouts_halted`. */
export async function refuseWhileHalted(tx: Tx): Promise<void> {
  const { haltedSince } = await rows.standing(tx);
  if (haltedSince !== null)
    throw new Problem("payouts_halted", { private: { since: toRfc3339(haltedSince) } });
}

/** Whether nothing new may begin to leave the platform: for what can wait until it may. */
export const isHalted = async (tx: Tx): Promise<boolean> => (await rows.standing(tx)).haltedSince !== null;

/** For those who watch the service: throws while the books are wrong, or cannot be checked. */
export async function assertBooks(db: Database): Promise<void> {
  const { haltedSince, failingSince } = await standingOf(db);
  if (haltedSince !== null) throw new Error(`the books have not been right since ${toRfc3339(haltedSince)}`);
  if (failingSince !== null)
    throw new Error(`the books could not be checked since ${toRfc3339(failingSince)}`);
}
