import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { type ReadingDeps, readDue } from "./reading-again.ts";

/** What merchants' origins serve is read again, though nobody asks: a stolen key ends when its merchant drops it. */
export const merchantJobs = (jobs: Pick<Jobs, "every">, deps: ReadingDeps): void => {
  jobs.every("merchants.read_again", 10 * secondMs, async (signal) => {
    await readDue(deps, signal);
  });
};
