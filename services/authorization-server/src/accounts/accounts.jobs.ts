import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetFailures } from "./accounts.ts";

/** Windows of failed sign-ins that have ended are forgotten. */
export const accountJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("accounts.forget-failures", 10 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetFailures(db, clock.now())) > 0);
  });
