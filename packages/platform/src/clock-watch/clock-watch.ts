import { type Clock, secondMs } from "@remit/kernel";
import { Problem } from "@remit/protocol";
import type { Database } from "../sql/index.ts";
import type { Log } from "../telemetry/index.ts";
import { databaseTime } from "./clock-watch.sql.ts";

/** Holds this process's time of day against the database's, which all processes share (K07). */
export type ClockWatch = {
  /** Compares now; a Problem `unavailable` when they are more than 60 s apart. For readiness, and once a minute. */
  check(): Promise<void>;
  /** Throws the same when the clock was wrong at the last comparison, or has jumped since. Costs no query. */
  readonly require: () => void;
};

// As much as tokens and proofs bear between two parties (leeway): beyond it what we date is refused, or lives too long.
const apartMsMax = 60 * secondMs;

export function createClockWatch(options: {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
}): ClockWatch {
  const { db, clock, log } = options;
  let last: { readonly apartMs: number; readonly at: number; readonly ns: bigint } | undefined;
  let told = false;
  const judge = (apartMs: number): void => {
    const wrong = Math.abs(apartMs) > apartMsMax;
    if (wrong && !told)
      log.error(
        { apart_ms: Math.round(apartMs) },
        "this machine's clock is wrong: nothing is signed until it is set",
      );
    if (!wrong && told) log.info({ apart_ms: Math.round(apartMs) }, "this machine's clock is right again");
    told = wrong;
    if (wrong)
      throw new Problem("unavailable", {
        headers: { "retry-after": "60" },
        private: { because: "the clock is wrong", apart_ms: Math.round(apartMs) },
      });
  };
  return {
    async check() {
      const askedNs = clock.monotonicNs();
      const { at } = await db.global.transaction(databaseTime);
      const ns = clock.monotonicNs();
      const now = clock.now();
      // The database answered somewhere on the way: half of it is the best guess, and the clocks' benefit.
      const halfMs = Number(ns - askedNs) / 2e6;
      const apart = now - at - halfMs;
      const apartMs = Math.sign(apart) * Math.max(0, Math.abs(apart) - halfMs);
      last = { apartMs, at: now, ns };
      judge(apartMs);
    },
    require: () => {
      if (last === undefined) return judge(Number.POSITIVE_INFINITY);
      const passedMs = Number(clock.monotonicNs() - last.ns) / 1e6;
      judge(last.apartMs + (clock.now() - last.at - passedMs));
    },
  };
}
