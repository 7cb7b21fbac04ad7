import type { Id, Instant } from "@remit/kernel";
import type { CrossingTx, Database, TenantTx } from "@remit/platform/sql";
import { type Actor, type EventPayload, type EventType, newEvent } from "@remit/protocol";

/** The payer, in whose tenant mandate, budget and charge stand, and the payee, who sees its own columns. */
export type Sides = { readonly payer: Id<"tenant">; readonly payee: Id<"tenant"> };

/** One transaction over both sides. Only one side is seen at a time; the last one asked for is the one that counts. */
export type Crossing = {
  payer(): Promise<TenantTx>;
  payee(): Promise<TenantTx>;
  /** Writes events into the log of each side; the sides share a log when they are one tenant. */
  record(...events: readonly ChargeEvent[]): Promise<void>;
};

export type ChargeEvent = {
  readonly type: EventType;
  readonly subject: Id<"charge"> | Id<"tab"> | Id<"dispute">;
  readonly actor: Actor;
  readonly payload: EventPayload;
  readonly now: Instant;
};

/** The only place that opens a transaction over two tenants; whoever calls has verified what joins them. */
export const cross = <R>(db: Database, sides: Sides, work: (crossing: Crossing) => Promise<R>): Promise<R> =>
  db.crossing(sides.payer, sides.payee).transaction((tx) => work(crossingOf(tx, sides)));

function crossingOf(tx: CrossingTx, { payer, payee }: Sides): Crossing {
  let current: { readonly side: Id<"tenant">; readonly tx: TenantTx } | undefined;
  const as = async (side: Id<"tenant">): Promise<TenantTx> => {
    if (current?.side !== side) current = { side, tx: await tx.as(side) };
    return current.tx;
  };
  return {
    payer: () => as(payer),
    payee: () => as(payee),
    record: (...events) =>
      tx.record(
        [...new Set([payer, payee])].flatMap((tenant) =>
          events.map(({ type, now, ...facts }) => newEvent(type, { tenant, ...facts }, now)),
        ),
      ),
  };
}
