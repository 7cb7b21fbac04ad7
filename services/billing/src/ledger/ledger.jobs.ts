import { type Clock, hourMs, minuteMs, toRfc3339 } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { Log, Metrics } from "@remit/platform/telemetry";
import { clearingOf } from "./months.ts";

/** Money of a charge that has waited longer than this to be cleared is an incident. */
const waitMsMax = hourMs;

export type LedgerJobDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
};

/** Watches the clearing accounts: what Stripe has not booked in an hour is said aloud, and measured always. */
export function ledgerJobs(jobs: Jobs, { db, clock, log, metrics }: LedgerJobDeps): Jobs {
  const labels = ["account", "asset"] as const;
  const age = metrics.gauge(
    "ledger_clearing_age_seconds",
    "How long the oldest charge has waited in a clearing account.",
    labels,
  );
  const waiting = metrics.gauge(
    "ledger_clearing_waiting",
    "Charges whose money waits in a clearing account.",
    labels,
  );
  return jobs.every("ledger.clearing", 5 * minuteMs, async () => {
    const now = clock.now();
    for (const { code, asset, balance, waiting: count, waitsSince } of await clearingOf(db, now)) {
      const waitMs = waitsSince === null ? 0 : Math.max(0, now - waitsSince);
      age.set({ account: code, asset }, waitMs / 1000);
      waiting.set({ account: code, asset }, count);
      if (waitMs > waitMsMax && waitsSince !== null)
        log.error(
          { account: code, asset, balance: String(balance), charges: count, since: toRfc3339(waitsSince) },
          "money waits in a clearing account: somebody must look",
        );
    }
  });
}
