import type { Id } from "@remit/kernel";
import { enqueue } from "@remit/platform/jobs";
import type { TenantTx } from "@remit/platform/sql";

/** Jobs that tell the directory how a tenant, or one of its agents, stands. */
export const listingQueue = "listings";

/**
 * Written in the transaction of a change that the marketplace shows: the directory is told if, and only if, it is made. Of
 * several changes of one subject at least the last is told.
 */
export const tellDirectory = (tx: TenantTx, agent?: Id<"agent">): Promise<void> =>
  enqueue(tx, {
    queue: listingQueue,
    key: agent ?? tx.tenant,
    payload: { tenant: tx.tenant, agent: agent ?? null },
  });
