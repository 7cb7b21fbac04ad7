import { dayMs, hourMs, instantOf, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Metrics } from "@remit/platform/telemetry";
import { watchClearing } from "./clearing.ts";
import { type ReconciliationDeps, reconcile } from "./reconciliation.ts";

/**
 * Every day, what Stripe booked in the three days until an hour ago: what is late is compared again, a case opened once. And every
 * five minutes the clearing accounts, measured always.
 */
export function reconciliationJobs(
  jobs: Jobs,
  { metrics, ...deps }: ReconciliationDeps & { readonly metrics: Metrics },
): Jobs {
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
  const cases = metrics.gauge(
    "ledger_clearing_late",
    "1 while money waits in a clearing account for longer than it may.",
    labels,
  );
  return jobs
    .every("reconciliation", dayMs, async () => {
      const until = instantOf(deps.clock.now() - hourMs);
      await reconcile(deps, { from: instantOf(until - 3 * dayMs), until });
    })
    .every("ledger.clearing", 5 * minuteMs, async () => {
      const now = deps.clock.now();
      for (const { code, asset, late, waiting: count, waitsSince } of await watchClearing(deps)) {
        const waitMs = waitsSince === null ? 0 : Math.max(0, now - waitsSince);
        age.set({ account: code, asset }, waitMs / 1000);
        waiting.set({ account: code, asset }, count);
        cases.set({ account: code, asset }, late ? 1 : 0);
      }
    });
}
