import type { Instant } from "@remit/kernel";
import type { Tx } from "../sql/index.ts";

export type Enqueue = {
  readonly queue: string;
  /** At most one waiting job per queue and key: a second one replaces its payload and runs once more if it is running. */
  readonly key?: string;
  /** Ids, digests and amounts, never personal data: the table is seen across tenants. */
  readonly payload: unknown;
  /** At once by default. */
  readonly runAt?: Instant;
};

/** Writes the job in the caller's transaction: it exists exactly if the change does. */
export declare function enqueue(tx: Tx, job: Enqueue): Promise<void>;
