import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetExpired } from "./visits.ts";

/** Visits that nobody can come back from any more are forgotten. */
export const visitJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("provider-visits.forget-expired", 10 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetExpired(db, clock.now())) > 0);
  });
