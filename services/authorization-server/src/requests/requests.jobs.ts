import { hourMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { sweepRequests } from "./requests.sql.ts";
import type { RequestLog } from "./requests.ts";

const sweptAtOnce = 5_000;

/** Each process writes what it answered; what is too old goes once an hour. */
export const requestJobs = (
  jobs: Jobs,
  { db, requests }: { readonly db: Database; readonly requests: RequestLog },
): Jobs =>
  jobs
    .everywhere("requests.log", secondMs, () => requests.flush())
    .every("requests.sweep", hourMs, async (signal) => {
      while (!signal.aborted && (await db.relay.transaction((tx) => sweepRequests(tx, sweptAtOnce))) > 0);
    });
