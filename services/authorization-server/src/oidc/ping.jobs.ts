import { minuteMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { followedQueue, namedBy } from "../approvals/index.ts";
import { type PingDeps, ping, pingQueue } from "./ping.ts";
import { type OutcomeDeps, tellOutcome } from "./purchase-outcomes.ts";

/** From half a second to two minutes: in all some four minutes, when few requests still wait. */
const attemptsMax = 10;
const backoff = (attempt: number): number => Math.min((secondMs / 4) * 2 ** attempt, 2 * minuteMs);

export const pingJobs = (jobs: Jobs, deps: PingDeps): Jobs =>
  jobs.on(pingQueue, {
    attemptsMax,
    backoff,
    handle: async ({ payload }) => {
      const named = namedBy(payload);
      if (named !== undefined) await ping(deps, named);
    },
  });

/** An answer is told however long the database was away: no job of it ever dies. */
const outcomeAttemptsMax = 1_000_000;

export const outcomeJobs = (jobs: Jobs, deps: OutcomeDeps): Jobs =>
  jobs.on(followedQueue, {
    attemptsMax: outcomeAttemptsMax,
    backoff,
    handle: async ({ payload }) => {
      const named = namedBy(payload);
      if (named !== undefined) await tellOutcome(deps, named);
    },
  });
