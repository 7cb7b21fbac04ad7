import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { forgetRevocations } from "./tokens.ts";

/** Revocations that outlived every token they could refuse are forgotten, a window at a time. */
export const tokenJobs = (jobs: Jobs, { db, clock }: { db: Database; clock: Clock }): Jobs =>
  jobs.every("tokens.forget", 10 * minuteMs, async (signal) => {
    while (!signal.aborted && (await forgetRevocations(db, clock.now())) > 0);
  });
