import { type Id, parseId, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Approvals } from "./approvals.operations.ts";
import { expiryQueue } from "./asking.ts";

// A question ends however long the database was away: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoffMsMax = 60 * secondMs;

/** Each question has one job, written with it, that ends it when nobody answered. */
export const approvalJobs = (jobs: Jobs, approvals: Pick<Approvals, "expire">): Jobs =>
  jobs.on(expiryQueue, {
    attemptsMax,
    backoff: (attempt) => Math.min(secondMs * 2 ** Math.min(attempt, 8), backoffMsMax),
    handle: async ({ payload }) => {
      const named = namedBy(payload);
      const runAt = named && (await approvals.expire(named));
      return runAt === undefined ? undefined : { runAt };
    },
  });

/** What a job says; one that says nothing an approval can be found by is dropped. */
export function namedBy(payload: unknown): { tenant: Id<"tenant">; id: Id<"approval"> } | undefined {
  const { tenant, id } = Object(payload);
  const named = { tenant: parseId("tenant", tenant), id: parseId("approval", id) };
  return named.tenant === undefined || named.id === undefined
    ? undefined
    : { tenant: named.tenant, id: named.id };
}
