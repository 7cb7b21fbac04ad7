import type { Jobs } from "@remit/platform/jobs";
import { namedBy } from "../approvals/index.ts";
import { type PingDeps, ping, pingQueue } from "./ping.ts";

/** From one second to some minutes: longer than a request waits, nobody would come for it. */
const attemptsMax = 10;

export const pingJobs = (jobs: Jobs, deps: PingDeps): Jobs =>
  jobs.on(pingQueue, {
    attemptsMax,
    handle: async ({ payload }) => {
      const named = namedBy(payload);
      if (named !== undefined) await ping(deps, named);
    },
  });
