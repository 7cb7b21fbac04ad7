import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { removeExpired } from "./responses.ts";

export const responseJobs = (jobs: Jobs, deps: { readonly db: Database; readonly clock: Clock }): Jobs =>
  jobs.every("responses.remove-expired", minuteMs, async () => {
    await removeExpired(deps.db, deps.clock.now());
  });
