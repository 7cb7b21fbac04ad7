import { dayMs, hourMs, instantOf } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { type ReconciliationDeps, reconcile } from "./reconciliation.ts";

/** Every day, what Stripe booked in the three days until an hour ago: what is late is compared again, a case opened once. */
export const reconciliationJobs = (jobs: Jobs, deps: ReconciliationDeps): Jobs =>
  jobs.every("reconciliation", dayMs, async () => {
    const until = instantOf(deps.clock.now() - hourMs);
    await reconcile(deps, { from: instantOf(until - 3 * dayMs), until });
  });
