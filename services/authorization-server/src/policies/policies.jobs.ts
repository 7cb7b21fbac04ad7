import { hourMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import type { DecisionLog } from "./decision-log.ts";
import { sweepDecisions } from "./policies.sql.ts";

const sweptAtOnce = 5_000;

export const policyJobs = (
  jobs: Jobs,
  { db, log }: { readonly db: Database; readonly log: DecisionLog },
): Jobs =>
  jobs
    .everywhere("policies.decisions", secondMs, () => log.flush())
    .every("policies.sweep", hourMs, async (signal) => {
      while (!signal.aborted && (await db.relay.transaction((tx) => sweepDecisions(tx, sweptAtOnce))) > 0);
    });
