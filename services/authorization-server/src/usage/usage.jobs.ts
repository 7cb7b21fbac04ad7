import { secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { meter } from "./metering.ts";

/** Counts what was issued, every second in one process of all. */
export function usageJobs(jobs: Jobs, { db }: { readonly db: Database }): void {
  jobs.every("usage.meter", secondMs, () => meter(db));
}
