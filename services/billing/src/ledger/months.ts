import {
  type Clock,
  type Id,
  type Instant,
  instantOf,
  invariant,
  systemClock,
  toRfc3339,
} from "@remit/kernel";
import type { Database, Sql } from "@remit/platform/sql";
import * as rows from "./months.sql.ts";

/** A month of the books that is closed, or being closed. `2026-11`, of UTC. */
export type Month = {
  readonly month: string;
  readonly state: "closing" | "summed" | "invoiced";
  readonly closedAt: Instant;
  readonly finishedAt: Instant | null;
};

/** What happened to a merchant in a closed month, by kind, rail and terms. */
export type Sum = {
  readonly merchant: Id<"merchant">;
  readonly asset: string;
  readonly kind: string;
  readonly rail: string;
  readonly schedule: string;
  readonly fromVolume: bigint;
  readonly count: bigint;
  /** Captured; refunds are negative. */
  readonly gross: bigint;
  readonly withheld: bigint;
  readonly invoiced: bigint;
};

export const monthOf = (at: Instant): string => toRfc3339(at).slice(0, 7);

/** When a month begins, and when the next one does. */
export function boundsOf(month: string): { readonly from: Instant; readonly until: Instant } {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return { from: instantOf(Date.UTC(year, number - 1)), until: instantOf(Date.UTC(year, number)) };
}

/**
 * By which moment a month is over: nothing opens one again that was closed too early. Undefined is the database's clock, which
 * all machines share and none of them can move (K08); a clock that was put in the machine's place says itself what time it is.
 */
export type MonthsNow = Instant | undefined;

export const monthsNow = (clock: Clock): MonthsNow => (clock === systemClock ? undefined : clock.now());

/** Closes a month, so that nothing is posted into it any more; false while it lasts. Again, it changes nothing. */
export const closeMonth = (db: Database, month: string, now: MonthsNow): Promise<boolean> =>
  db.global.transaction((tx) => rows.close(tx, month, now));

/**
 * So many entries at a time: few enough that their postings are cheaper to look up, one by one, than to find by reading all that
 * there ever were, and that a slice on a busy machine stays far below the limit of a statement.
 */
const sliceMax = 5_000;

/** Sums up the next slice of a closed month in a transaction of its own; false when there is none. */
export const sumMonth = (db: Database, month: string, most = sliceMax): Promise<boolean> =>
  db.global.transaction((tx) => rows.sumSlice(tx, month, most));

export const monthNamed = (db: Database, month: string): Promise<Month | undefined> =>
  db.global.transaction((tx) => rows.month(tx, month));

export const closedMonths = (db: Database): Promise<Month[]> =>
  db.global.transaction((tx) => rows.months(tx));

export const finishMonth = (db: Database, month: string, now: Instant): Promise<void> =>
  db.global.transaction((tx) => rows.finish(tx, month, now));

/** The months from the first entry on that are over and not yet invoiced, the oldest first. */
export async function dueMonths(db: Database, at: MonthsNow): Promise<string[]> {
  const [{ first, now }, closed] = await db.global.transaction(
    async (tx) => [await rows.firstPosted(tx, at), await rows.months(tx)] as const,
  );
  const finished = new Set(closed.filter(({ state }) => state === "invoiced").map(({ month }) => month));
  const due: string[] = [];
  for (let at = first ?? now; boundsOf(monthOf(at)).until <= now; at = boundsOf(monthOf(at)).until)
    if (!finished.has(monthOf(at))) due.push(monthOf(at));
  return due;
}

/** The tenants with sums in a month, each once, in pages. */
export async function* tenantsIn(db: Database, month: string): AsyncGenerator<Id<"tenant">> {
  const most = 500;
  let beyond = "";
  for (;;) {
    const page = await db.global.transaction((tx) => rows.tenantsOf(tx, { month, beyond, most }));
    yield* page;
    if (page.length < most) return;
    const last = page.at(-1);
    invariant(last !== undefined && last > beyond, "pages go forward");
    beyond = last;
  }
}

/** The sums of the transaction's tenant. */
export const sumsOf = (tx: Sql, month: string): Promise<Sum[]> => rows.sums(tx, month);

/** What a merchant's captures of a month that lasts have cost so far. */
export type RunningFee = Pick<Sum, "merchant" | "asset" | "withheld"> & { readonly fee: bigint };

/** Of the transaction's tenant: what its invoices of the month will come to, without tax. */
export const runningFees = (tx: Sql, month: string): Promise<RunningFee[]> =>
  rows.running(tx, boundsOf(month));

/** What stands in a clearing account, and how many charges wait there since when. */
export type ClearingAccount = {
  readonly code: string;
  readonly asset: string;
  readonly balance: bigint;
  readonly waiting: number;
  readonly waitsSince: Instant | null;
  /** How much of the balance those charges are: the rest is older than was looked at. */
  readonly recent: bigint;
};

/** What has not cleared yet, of all assets; charge by charge for as far back as is asked. */
export const clearingOf = (
  db: Database,
  { now, lookBackMs }: { now: Instant; lookBackMs: number },
): Promise<ClearingAccount[]> =>
  db.global.transaction((tx) => rows.clearing(tx, instantOf(Math.max(0, now - lookBackMs))));
