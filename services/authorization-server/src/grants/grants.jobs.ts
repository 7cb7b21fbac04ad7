import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Artifacts } from "./artifacts.ts";

const windowRows = 1_000;

/** Codes, sessions and tokens that have expired, and replays nobody can try any more, leave a window at a time. */
export const grantJobs = (jobs: Jobs, { artifacts, clock }: { artifacts: Artifacts; clock: Clock }): Jobs =>
  jobs.every("grants.sweep", minuteMs, async (signal) => {
    while (!signal.aborted && (await artifacts.deleteExpired(clock.now(), windowRows)) > 0);
  });
