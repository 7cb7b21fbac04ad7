import type { Jobs } from "@remit/platform/jobs";
import type { AuditDeps } from "./audit.ts";
import { removalsQueue, sayExpired } from "./removals.ts";

/** Removes what was said, as the owner of the database; absent where this service does not know the owner. */
export type RemoveExpired = () => Promise<void>;

/** A window of what has expired at a time, until nothing is left to say; then it is removed. Dying on the way costs a repeat. */
export const removalJobs = (jobs: Jobs, deps: AuditDeps, remove: RemoveExpired | undefined): Jobs =>
  jobs.on(removalsQueue, {
    handle: async ({ payload }) => {
      const { by } = Object(payload) as { by?: unknown };
      if (typeof by !== "string") return undefined;
      const { more } = await sayExpired(deps, by);
      if (more) return { runAt: deps.clock.now() };
      await remove?.();
      return undefined;
    },
  });
