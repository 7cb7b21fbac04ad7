import { type Clock, type Id, minuteMs, newId } from "@remit/kernel";
import { type Asking, type Enqueue, enqueue, type Follower } from "@remit/platform/jobs";
import { followOutbox, type Recorded, readOutbox } from "@remit/platform/outbox";
import type { Database } from "@remit/platform/sql";
import { lanesChannel } from "../lanes/index.ts";
import { takesAny } from "../webhooks/index.ts";
import * as rows from "./deliveries.sql.ts";
import { bodyOf } from "./message.ts";

export type FanOutDeps = {
  readonly db: Database;
  readonly clock: Clock;
  readonly livemode: boolean;
  /** What people are told of besides: work that is written down with the deliveries. */
  readonly besides: (events: readonly Recorded[]) => readonly Enqueue[];
};

const consumer = "webhooks";
const batchMax = 500;
/** A reader that died keeps others waiting for so long. */
const leaseMs = 3_000;
/** Clocks differ a little: an event this much older than a webhook is still told to it. */
const slackMs = minuteMs;

/** Turns events into deliveries, one per webhook that wants it. Whoever reads, it happens once. */
export const fanOut = (deps: FanOutDeps, asking: Pick<Asking, "ask">): Follower =>
  followOutbox(asking, { read: () => readOnce(deps), batchMax });

/** Reads the next events and writes their deliveries; returns how many events there were. */
export const readOnce = (deps: FanOutDeps): Promise<number> =>
  readOutbox(deps.db.relay, { consumer, limit: batchMax, leaseMs }, (events) => deliver(deps, events));

async function deliver(deps: FanOutDeps, events: readonly Recorded[]): Promise<void> {
  const { db, clock, besides } = deps;
  const work = besides(events);
  const wanted = await wantedIn(deps, events);
  if (wanted.length === 0 && work.length === 0) return;
  await db.global.transaction(async (tx) => {
    for (const job of work) await enqueue(tx, job);
    if (wanted.length === 0) return;
    await rows.insertDeliveries(tx, wanted, clock.now());
    tx.notify(lanesChannel);
  });
}

async function wantedIn(
  { db, livemode }: FanOutDeps,
  events: readonly Recorded[],
): Promise<rows.NewDeliveries[]> {
  const tenants = [...new Set(events.map(({ tenant }) => tenant))].filter((tenant) => tenant !== "platform");
  if (tenants.length === 0) return [];
  const listeners = await db.relay.transaction((tx) => rows.listenersOf(tx, tenants));
  const byTenant = Map.groupBy(listeners, ({ tenant }) => tenant);
  return events.flatMap((event) => newDeliveries(event, byTenant, livemode));
}

function newDeliveries(
  event: Recorded,
  listeners: ReadonlyMap<string, readonly rows.Listener[]>,
  livemode: boolean,
): rows.NewDeliveries[] {
  const { tenant, id, type, subject } = event;
  if (tenant === "platform") return [];
  const wanting = (listeners.get(tenant) ?? []).filter(
    ({ webhook, events, since }) =>
      // What becomes of a webhook is not told to that webhook: its failure would make the next thing to fail on.
      webhook !== subject && event.at >= since - slackMs && takesAny(events, type),
  );
  if (wanting.length === 0) return [];
  const deliveries = wanting.map(({ webhook }) => ({ id: newId("delivery"), webhook }));
  return [
    { tenant: tenant satisfies Id<"tenant">, event: id, type, body: bodyOf(event, livemode), deliveries },
  ];
}
