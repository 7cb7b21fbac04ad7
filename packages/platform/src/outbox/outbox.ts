import type { Instant } from "@remit/kernel";
import type { RemitEvent } from "@remit/protocol";
import type { RelayTx, Scope, Tx } from "../sql/index.ts";
import {
  ageOfUnread,
  deleteRead,
  findEnd,
  insertionOf,
  isRead,
  type Position,
  type Recorded,
  readAfter,
  releaseCursor,
  takeCursor,
} from "./outbox.sql.ts";

/** Notified after each commit that recorded an event. */
export const outboxChannel = "outbox";

const leaseMsDefault = 10_000;

/** Writes the event in the caller's transaction. */
export async function recordToOutbox(tx: Tx, event: RemitEvent): Promise<void> {
  await tx.run(insertionOf(event));
  tx.notify(outboxChannel);
}

/** The same with the commit at the latest. */
export function deferToOutbox(tx: Tx, event: RemitEvent): void {
  tx.defer(insertionOf(event));
  tx.notify(outboxChannel);
}

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
 * transactions, skipping no late commit. Who must not count an event twice saves its place with what it counts. No transaction is open while `handle` runs. One process reads per consumer.
 * Returns how many events were handled; 0 when there are none or another process is reading.
 */
export async function readOutbox(
  relay: Scope<RelayTx>,
  reading: ReadOutbox,
  handle: (events: readonly Recorded[], at: readonly Position[]) => Promise<void>,
): Promise<number> {
  const { consumer, limit, leaseMs = leaseMsDefault } = reading;
  const batch = await relay.transaction(async (tx) => {
    const taken = await takeCursor(tx, { consumer, leaseMs });
    return taken && { taken, placed: await readAfter(tx, taken, limit) };
  });
  if (batch === undefined) return 0;
  const { taken, placed } = batch;
  let to: Position = taken;
  try {
    await handle(
      placed.map(({ event }) => event),
      placed.map(({ at }) => at),
    );
    to = placed.at(-1)?.at ?? taken;
  } finally {
    await relay.transaction((tx) => releaseCursor(tx, { consumer, lease: taken.lease, to }));
  }
  return placed.length;
}

/** Whether there is nothing that a consumer has not handled, of all that has been committed. */
export const isOutboxRead = (relay: Scope<RelayTx>, consumer: string): Promise<boolean> =>
  relay.transaction((tx) => isRead(tx, consumer));

/** Seconds since the first event that a consumer has not handled; 0 when there is none. */
export const unreadForS = (relay: Scope<RelayTx>, consumer: string): Promise<number> =>
  relay.transaction((tx) => ageOfUnread(tx, consumer));

/** The place of the last event that is there; undefined when none is. */
export const outboxEnd = (relay: Scope<RelayTx>): Promise<Position | undefined> =>
  relay.transaction((tx) => findEnd(tx));

/** Removes what is older than `before` and waits for no consumer, at most 5,000 per call. Returns how many. */
export const trimOutbox = (relay: Scope<RelayTx>, before: Instant): Promise<number> =>
  relay.transaction((tx) => deleteRead(tx, before));
