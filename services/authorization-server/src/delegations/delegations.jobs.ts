import { hourMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { sweepEnded } from "./delegations.sql.ts";

const sweptAtOnce = 1_000;

/** Links that ended longer ago than any revocation is kept are of no use to anybody; the log keeps what was done. */
export const delegationJobs = (jobs: Jobs, { db }: { readonly db: Database }): Jobs =>
  jobs.every("delegations.sweep", hourMs, async (signal) => {
    while (!signal.aborted && (await db.relay.transaction((tx) => sweepEnded(tx, sweptAtOnce))) > 0);
  });
