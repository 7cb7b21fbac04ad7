import { type Clock, hourMs, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { Database } from "@remit/platform/sql";
import { eraseOrganization, erasureQueue } from "./erasure.ts";
import { sweepInvitations } from "./members.sql.ts";

// What was promised to be erased is erased, however long the database was away: no job of it ever dies.
const attemptsMax = 1_000_000;
const sweptAtOnce = 1_000;

/** Each deleted organization has one job that erases it when its time is over, in steps that hold no lock for long. */
export const organizationJobs = (
  jobs: Jobs,
  { clock, ...deps }: { readonly db: Database; readonly keyring: Keyring; readonly clock: Clock },
): Jobs =>
  jobs
    .on(erasureQueue, {
      attemptsMax,
      backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), 60 * secondMs),
      handle: async ({ payload }) => {
        const { tenant: named, what } = Object(payload);
        const tenant = parseId("tenant", named);
        const erasing = tenant && { tenant, ...(what === "mandates" ? { what } : {}) };
        return erasing === undefined ? undefined : eraseOrganization(deps, erasing, clock.now());
      },
    })
    .every("invitations.sweep", hourMs, async (signal) => {
      while (
        !signal.aborted &&
        (await deps.db.relay.transaction((tx) => sweepInvitations(tx, sweptAtOnce))) > 0
      );
    });
