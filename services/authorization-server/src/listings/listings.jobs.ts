import { minuteMs, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { listingQueue } from "../tenants/index.ts";
import { type ListingDeps, type Subject, tell, tellAgain } from "./listings.ts";

// A withdrawal comes through however long the directory was away: no job of it ever dies, and none waits for long.
const attemptsMax = 1_000_000;
const backoffMsMax = 15 * secondMs;

/** How the directory comes to know of public agents, and of those that are public no more. */
export const listingJobs = (jobs: Jobs, deps: ListingDeps): Jobs =>
  jobs
    .on(listingQueue, {
      attemptsMax,
      backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt - 1, 8), backoffMsMax),
      handle: async ({ payload }) => {
        const subject = subjectOf(payload);
        if (subject !== undefined) await tell(deps, subject);
      },
    })
    .every("listings.again", minuteMs, (signal) => tellAgain(deps, signal));

/** What a job is about; one that names no tenant is dropped. */
function subjectOf(payload: unknown): Subject | undefined {
  const { tenant: tenantText, agent } = Object(payload);
  const tenant = parseId("tenant", tenantText);
  return tenant && { tenant, agent: parseId("agent", agent) };
}
