import { minuteMs, secondMs } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import { namedBy } from "../approvals/index.ts";
import { type PingDeps, ping, pingQueue } from "./ping.ts";

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
