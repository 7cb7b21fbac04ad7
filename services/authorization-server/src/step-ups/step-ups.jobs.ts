import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetExpired } from "./step-ups.ts";

/** Questions that nobody can answer any more are forgotten; the answers stay. */
export const stepUpJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("step-ups.forget-expired", 10 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetExpired(db, clock.now())) > 0);
  });
