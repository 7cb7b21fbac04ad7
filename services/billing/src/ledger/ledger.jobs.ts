import { minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Metrics } from "@remit/platform/telemetry";
import { isDue, standingOf, type WatchDeps, watchBooks } from "./standing.ts";

const lookMs = 10 * minuteMs;

export type LedgerJobDeps = WatchDeps & { readonly metrics: Metrics };

/** What the ledger asserts as it posts is read from the other side as well: every balance is the sum of its postings. */
export function ledgerJobs(jobs: Pick<Jobs, "every">, { metrics, ...deps }: LedgerJobDeps): void {
  const wrong = metrics.gauge(
    "ledger_out_of_balance",
    "1 while the ledger's balances are not the sums of their postings, as of the last look that came to an end.",
  );
  const unchecked = metrics.gauge(
    "ledger_check_failing",
    "1 while the check of the books comes to no end: what the other gauge says is old.",
  );
  jobs.every("ledger.check", lookMs, async () => {
    try {
      if (isDue(await standingOf(deps.db), deps.clock.now())) await watchBooks(deps);
    } finally {
      // Also what another process found, or whoever asked over the API.
      const { haltedSince, failingSince } = await standingOf(deps.db);
      wrong.set(haltedSince === null ? 0 : 1);
      unchecked.set(failingSince === null ? 0 : 1);
    }
  });
}
