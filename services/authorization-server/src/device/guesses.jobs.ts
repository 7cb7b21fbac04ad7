import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetGuesses } from "./guesses.ts";

export const deviceJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("device.guesses", 5 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetGuesses(db, clock.now())) > 0);
  });
