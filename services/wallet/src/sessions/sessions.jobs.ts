import { type Clock, instantOf, minuteMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { sweepSessions } from "./sessions.sql.ts";
import { absoluteMs, idleMs } from "./sessions.ts";

/** Forgets sessions whose time has passed. */
export function forgetOldSessions(
  jobs: Jobs,
  { db, clock }: { readonly db: Database; readonly clock: Clock },
): void {
  jobs.every("portal-sessions.forget", 10 * minuteMs, () => {
    const now = clock.now();
    const limits = { seenAfter: instantOf(now - idleMs), signedInAfter: instantOf(now - absoluteMs) };
    return sweepSessions(db.single, limits);
  });
}
