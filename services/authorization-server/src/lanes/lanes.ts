import type { Id, Instant } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import * as rows from "./lanes.sql.ts";

/** The queue of one webhook. One process at a time holds it and sends, so that no receiver gets more at once than it can take. */
export type Leased = { readonly webhook: Id<"webhook">; readonly lease: bigint };
export type Lane = Leased & { readonly tenant: Id<"tenant"> };

/** Notified after each commit that gave a lane something to send. */
export const lanesChannel = "webhook_lanes";

export const openLane = rows.insertLane;
/** Nothing more is sent. */
export const closeLane = rows.deleteLane;

/** Notified after each commit that gave a stream something to tell, with the stream's id. */
export const signalsChannel = "signals";

/** Has whoever sends look at the lane, also when its receiver asked to be left alone. */
export async function wakeLane(tx: TenantTx, webhook: Id<"webhook">, now: Instant): Promise<void> {
  await rows.setDue(tx, webhook, now);
  tx.notify(lanesChannel);
}

/** The same for all lanes of a tenant, and for those of its streams. */
export async function wakeLanes(tx: TenantTx, now: Instant): Promise<void> {
  await rows.setAllDue(tx, now);
  tx.notify(lanesChannel);
  for (const stream of await rows.setSignalsDue(tx, now)) tx.notify(signalsChannel, stream);
}

/** The table of this room. */
export const laneTables = { webhook_lanes: "global" } as const;
