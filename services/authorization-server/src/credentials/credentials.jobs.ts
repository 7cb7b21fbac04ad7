import { type Clock, parseId } from "@remit/kernel";
import type { Jobs } from "@remit/platform/jobs";
import type { Database } from "@remit/platform/sql";
import { reminderQueue, remindOf } from "./credentials.ts";
import { flushMs, type LastUses } from "./last-uses.ts";

type Deps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly uses: LastUses;
  /** Called for each reminder, for the metric. */
  readonly reminded: () => void;
};

/** Each credential that ends has one job that reminds of it; each process writes what it saw used. */
export const credentialJobs = (jobs: Jobs, { db, clock, uses, reminded }: Deps): Jobs =>
  jobs
    .on(reminderQueue, {
      handle: async ({ payload }) => {
        const { tenant: tenantText, credential: text } = Object(payload);
        const tenant = parseId("tenant", tenantText);
        const id = parseId("credential", text);
        if (tenant === undefined || id === undefined) return undefined;
        const outcome = await db.of(tenant).transaction((tx) => remindOf(tx, id, clock.now()));
        if (outcome !== "said") return outcome;
        reminded();
        return undefined;
      },
    })
    .everywhere("credential uses", flushMs, () => uses.flush());
