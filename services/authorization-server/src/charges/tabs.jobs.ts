import { type Id, secondMs } from "@remit/kernel";
import { enqueue, type Jobs } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";
import { idOf } from "@remit/protocol/contracts";
import { z } from "zod";
import { endedQueue } from "../mandates/index.ts";
import type { ChargesDeps } from "./charges.operations.ts";
import { settleTab } from "./settle-tab.ts";
import { openTabsOf } from "./tabs.sql.ts";
import { tabsQueue } from "./tabs.ts";

const Due = z.strictObject({ tenant: idOf("tenant"), tab: idOf("tab") });
const Ended = z.strictObject({ tenant: idOf("tenant"), mandate: idOf("mandate") });

// What is owed is asked for however long the database or billing are away: no job of it ever dies.
const attemptsMax = 1_000_000;
const backoff = (attempt: number): number => Math.min(secondMs * 2 ** Math.min(attempt, 8), 300 * secondMs);

type TabJobsDeps = ChargesDeps & {
  /** What else is to come of a revoked mandate, in the transaction that makes its tabs due. */
  readonly besides: (tx: TenantTx, mandate: Id<"mandate">) => Promise<void>;
};

/** Each tab has one job, written with it, that charges it when it is due; a mandate that ends makes its tabs due. */
export const tabJobs = (jobs: Jobs, deps: TabJobsDeps): Jobs =>
  jobs
    .on(tabsQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const { tenant, tab } = Due.parse(payload);
        const runAt = await settleTab(deps, tenant, tab);
        return runAt === undefined ? undefined : { runAt };
      },
    })
    .on(endedQueue, {
      attemptsMax,
      backoff,
      handle: async ({ payload }) => {
        const { tenant, mandate } = Ended.parse(payload);
        await deps.db.of(tenant).transaction(async (tx) => {
          for (const { id } of await openTabsOf(tx, mandate))
            await enqueue(tx, { queue: tabsQueue, key: id, payload: { tenant, tab: id } });
          await deps.besides(tx, mandate);
        });
      },
    });
