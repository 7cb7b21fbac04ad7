import { type Id, type Instant, newId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type EventPayload, type EventType, newEvent, Problem } from "@remit/protocol";
import { wakeLane } from "../lanes/index.ts";
import { type By, webhookById } from "../webhooks/index.ts";
import { type Attempt, type Delivery, type DeliveryStatus, unknownDelivery } from "./deliveries.ts";
import * as rows from "./log.sql.ts";
import { bodyOf } from "./message.ts";

/** A delivery, what is sent, and each attempt, newest first. */
export type Logged = {
  readonly delivery: Delivery;
  readonly body: string;
  readonly attempts: readonly Attempt[];
};

/** Deliveries of one webhook, newest first; `not_found` when the tenant has no such webhook. */
export async function deliveriesOf(tx: TenantTx, page: rows.Page): Promise<Delivery[]> {
  await webhookById(tx, page.webhook);
  return rows.listDeliveries(tx, page);
}

export async function deliveryById(tx: TenantTx, named: rows.Named): Promise<Logged> {
  await webhookById(tx, named.webhook);
  const found = await rows.findDelivery(tx, named);
  if (found === undefined) throw unknownDelivery();
  return { ...found, attempts: await rows.listAttempts(tx, named.delivery) };
}

/** Sends one again, whatever became of it. Receivers know it by its `webhook-id`, which stays. */
export async function replayOne(tx: TenantTx, named: rows.Named, by: By): Promise<Delivery> {
  await activeWebhook(tx, named.webhook);
  const found = await rows.findDelivery(tx, named);
  if (found === undefined) throw unknownDelivery();
  if (await rows.resendOne(tx, named, by.now)) {
    await wakeLane(tx, named.webhook, by.now);
    await record(tx, "webhook.replayed", { webhook: named.webhook, payload: { count: 1 }, by });
  }
  return (await deliveryById(tx, named)).delivery;
}

export type Replay = {
  readonly webhook: Id<"webhook">;
  readonly since: Instant;
  readonly until: Instant | undefined;
  readonly status: "dead_letter" | "delivered" | "all";
};

/** In one transaction; who has more calls again. */
const replayMax = 10_000;

const ended: Readonly<Record<Replay["status"], readonly DeliveryStatus[]>> = {
  dead_letter: ["dead_letter"],
  delivered: ["delivered"],
  all: ["dead_letter", "delivered"],
};

/** Sends again what ended so in a range of time, oldest first; what still waits goes on as it is. */
export async function replayRange(
  tx: TenantTx,
  { webhook, since, until, status }: Replay,
  by: By,
): Promise<{ readonly replayed: number; readonly more: boolean }> {
  await activeWebhook(tx, webhook);
  const range = { webhook, since, until, statuses: ended[status] };
  const replayed = await rows.resendRange(tx, range, { now: by.now, limit: replayMax });
  if (replayed > 0) {
    await wakeLane(tx, webhook, by.now);
    await record(tx, "webhook.replayed", { webhook, payload: { count: replayed }, by });
  }
  return { replayed, more: replayed === replayMax };
}

/** Tells one webhook, whatever it listens to, of an event that is a test; it goes the way of every other delivery. */
export async function sendTest(
  tx: TenantTx,
  webhook: Id<"webhook">,
  by: By & { readonly livemode: boolean },
): Promise<Delivery> {
  await activeWebhook(tx, webhook);
  const event = await record(tx, "webhook.tested", { webhook, payload: {}, by });
  const delivery = newId("delivery");
  // Nothing else happens to it that would have to be put in order with this.
  const body = bodyOf({ ...event, order: by.now * 1_000 }, by.livemode);
  await rows.insertDelivery(tx, { webhook, delivery, event: event.id, type: event.type, body, now: by.now });
  await wakeLane(tx, webhook, by.now);
  return (await deliveryById(tx, { webhook, delivery })).delivery;
}

async function activeWebhook(tx: TenantTx, id: Id<"webhook">): Promise<void> {
  if (!(await webhookById(tx, id)).active) throw new Problem("webhook_inactive");
}

async function record(
  tx: TenantTx,
  type: EventType,
  { webhook, payload, by }: { webhook: Id<"webhook">; payload: EventPayload; by: By },
) {
  const event = newEvent(type, { tenant: tx.tenant, actor: by.actor, subject: webhook, payload }, by.now);
  await tx.record(event);
  return event;
}
