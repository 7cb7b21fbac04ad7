import type { Instant } from "@remit/kernel";
import type { RemitEvent } from "@remit/protocol";
import type { RelayTx, Scope, Tx } from "../sql/index.ts";

/** Notified after each commit that recorded an event. */
export const outboxChannel = "outbox";

/** Writes the event in the caller's transaction. */
export declare function recordToOutbox(tx: Tx, event: RemitEvent): Promise<void>;

export type ReadOutbox = {
  /** Each consumer has its own cursor. */
  readonly consumer: string;
  /** Events at most per call. */
  readonly limit: number;
  /** How long one call may take before another process may read the same events; 10 s by default. */
  readonly leaseMs?: number;
};

/**
 * Hands the next events to `handle` and moves the cursor once it has returned: at least once, in the order of
 * transactions, skipping no late commit. No transaction is open while `handle` runs. One process reads per consumer.
 * Returns how many events were handled; 0 when there are none or another process is reading.
 */
export declare function readOutbox(
  relay: Scope<RelayTx>,
  reading: ReadOutbox,
  handle: (events: readonly RemitEvent[]) => Promise<void>,
): Promise<number>;

/** Removes what every consumer has read and what is older than `before`. Returns how many. */
export declare function trimOutbox(relay: Scope<RelayTx>, before: Instant): Promise<number>;
