import { type Clock, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { sweepPending } from "./pending.sql.ts";

/** Forgets sign-ins that nobody finished. */
export function forgetUnfinished(
  jobs: Jobs,
  { db, clock }: { readonly db: Database; readonly clock: Clock },
): void {
  jobs.every("sign-ins.forget", 10 * minuteMs, () => sweepPending(db.single, clock.now()));
}
