import { type Instant, instantOf, newId } from "@remit/kernel";
import type { Tx } from "../sql/index.ts";
import { insertJob } from "./jobs.sql.ts";

/** Notified after each commit that enqueued a job. */
export const jobsChannel = "jobs";

export type Enqueue = {
  readonly queue: string;
  /** At most one job per queue and key: a second one replaces the payload, and runs once more if the first is running. */
  readonly key?: string;
  /** Ids, digests and amounts, never personal data: the table is seen across tenants. */
  readonly payload: unknown;
  /** At once by default. */
  readonly runAt?: Instant;
};

const atOnce = instantOf(0);

/** Writes the job in the caller's transaction: it exists exactly if the change does. */
export async function enqueue(tx: Tx, job: Enqueue): Promise<void> {
  const { queue, key, payload, runAt = atOnce } = job;
  insertJob(tx, {
    id: newId("job"),
    queue,
    key: key ?? null,
    payload: JSON.stringify(payload),
    runAt,
  });
  tx.notify(jobsChannel);
}
