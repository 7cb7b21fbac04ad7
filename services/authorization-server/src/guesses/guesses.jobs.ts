import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetAttempts } from "./guesses.ts";

/** Windows of attempts that have ended are forgotten. */
export const guessJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("accounts.forget-failures", 10 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetAttempts(db, clock.now())) > 0);
  });
