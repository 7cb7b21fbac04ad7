import { type Clock, hourMs, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { sweepInvitations } from "./members.sql.ts";
import { eraseOrganization, erasureQueue } from "./organizations.ts";

// What was promised to be erased is erased, however long the database was away: no job of it ever dies.
const attemptsMax = 1_000_000;
const sweptAtOnce = 1_000;

/** Each deleted organization has one job that erases it when its time is over, in steps that hold no lock for long. */
export const organizationJobs = (
  jobs: Jobs,
  { db, clock }: { readonly db: Database; readonly clock: Clock },
): Jobs =>
  jobs
    .on(erasureQueue, {
      attemptsMax,
      backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), 60 * secondMs),
      handle: async ({ payload }) => {
        const tenant = parseId("tenant", Object(payload).tenant);
        return tenant === undefined ? undefined : eraseOrganization(db, tenant, clock.now());
      },
    })
    .every("invitations.sweep", hourMs, async (signal) => {
      while (!signal.aborted && (await db.relay.transaction((tx) => sweepInvitations(tx, sweptAtOnce))) > 0);
    });
