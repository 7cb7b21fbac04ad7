import { hourMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { trimUsage } from "./metering.sql.ts";
import { meter } from "./metering.ts";

const trimmedAtOnce = 1_000;

/** Counts what was issued, every second in one process of all; and forgets what is old. */
export function usageJobs(jobs: Jobs, { db }: { readonly db: Database }): void {
  jobs.every("usage.meter", secondMs, () => meter(db));
  jobs.every("usage.trim", hourMs, async (signal) => {
    while (!signal.aborted && (await db.relay.transaction((tx) => trimUsage(tx, trimmedAtOnce))) > 0);
  });
}
