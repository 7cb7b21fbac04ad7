import { after, hourMs, type Id, type Instant, newId } from "@remit/kernel";
import type { TenantTx } from "@remit/platform/sql";
import { type Actor, type EventPayload, type EventType, newEvent, Problem } from "@remit/protocol";
import { closeLane, openLane, wakeLane } from "../lanes/index.ts";
import { emptyPattern } from "./patterns.ts";
import type { WebhookSecrets } from "./secrets.ts";
import * as rows from "./webhooks.sql.ts";

/** Why Remit turned one off: its receiver said that it is gone (410), or has failed for days. */
export type DisabledBecause = "gone" | "failing";

/** Where a tenant is told of its events. */
export type Webhook = {
  readonly id: Id<"webhook">;
  readonly tenant: Id<"tenant">;
  readonly name: string;
  readonly url: string;
  /** Patterns: an event, `noun.*`, `*`. */
  readonly events: readonly string[];
  readonly active: boolean;
  /** Since the last success. */
  readonly failureCount: number;
  readonly failingSince: Instant | undefined;
  readonly disabled: { readonly at: Instant; readonly because: DisabledBecause } | undefined;
  readonly formerUntil: Instant | undefined;
  readonly createdAt: Instant;
  readonly updatedAt: Instant;
};

export type By = { readonly actor: Actor; readonly now: Instant };
export type WithSecret = { readonly webhook: Webhook; readonly secret: string };

const perTenantMax = 50;

export type NewWebhook = Pick<Webhook, "name" | "url" | "events" | "active">;

/** Writes a webhook whose address has been checked. Its secret is in the answer and nowhere else in clear. */
export async function createWebhook(
  secrets: WebhookSecrets,
  tx: TenantTx,
  { actor, now, ...wanted }: NewWebhook & By,
): Promise<WithSecret> {
  checkPatterns(wanted.events);
  const id = newId("webhook");
  const { shown, sealed } = await secrets.issue(tx, { tenant: tx.tenant, webhook: id });
  const webhook: Webhook = {
    ...wanted,
    id,
    tenant: tx.tenant,
    failureCount: 0,
    failingSince: undefined,
    disabled: undefined,
    formerUntil: undefined,
    createdAt: now,
    updatedAt: now,
  };
  if (!(await rows.insertWebhook(tx, { ...webhook, secret: sealed }, perTenantMax)))
    throw new Problem("webhook_limit_reached", { detail: `An organization has at most ${perTenantMax}.` });
  await openLane(tx, id);
  await record(tx, "webhook.created", { webhook: id, actor, now, payload: factsOf(webhook) });
  return { webhook, secret: shown };
}

function checkPatterns(patterns: readonly string[]): void {
  const unknown = emptyPattern(patterns);
  if (unknown !== undefined)
    throw new Problem("invalid_request", {
      detail: `events: no event matches ${unknown}; /api/v1/webhooks/events lists them.`,
    });
}

export type WebhookChange = { readonly [K in keyof NewWebhook]?: NewWebhook[K] | undefined };

/** Turned on (again), it goes on with what waits, and has failed never. Turned off, nothing new waits for it. */
export async function changeWebhook(
  tx: TenantTx,
  id: Id<"webhook">,
  { actor, now, ...change }: WebhookChange & By,
): Promise<Webhook> {
  if (change.events !== undefined) checkPatterns(change.events);
  const before = await rows.findWebhook(tx, id, "update");
  if (before === undefined) throw unknownWebhook();
  const turnedOn = change.active === true && !before.active;
  const { name = before.name, url = before.url, events = before.events, active = before.active } = change;
  const fresh = turnedOn ? { failureCount: 0, failingSince: undefined, disabled: undefined } : {};
  const webhook: Webhook = { ...before, ...fresh, name, url, events, active, updatedAt: now };
  await rows.saveWebhook(tx, webhook, { turnedOn });
  if (turnedOn) await wakeLane(tx, id, now);
  await record(tx, "webhook.changed", { webhook: id, actor, now, payload: factsOf(webhook) });
  return webhook;
}

/** Its log goes with it: nobody sees the deliveries of a webhook that is not there, and they are swept in their time. */
export async function removeWebhook(tx: TenantTx, id: Id<"webhook">, { actor, now }: By): Promise<void> {
  const webhook = await rows.deleteWebhook(tx, id);
  if (webhook === undefined) throw unknownWebhook();
  await closeLane(tx, id);
  await record(tx, "webhook.removed", { webhook: id, actor, now, payload: factsOf(webhook) });
}

/** A new secret. The former one signs as well for a while, so that a receiver can change over without a gap (W12). */
export async function rotateSecret(
  secrets: WebhookSecrets,
  tx: TenantTx,
  { id, overlapHours, actor, now }: { id: Id<"webhook">; overlapHours: number } & By,
): Promise<WithSecret> {
  const before = await rows.findWebhook(tx, id, "update");
  if (before === undefined) throw unknownWebhook();
  const { shown, sealed } = await secrets.issue(tx, { tenant: tx.tenant, webhook: id });
  const formerUntil = overlapHours === 0 ? undefined : after(now, overlapHours * hourMs);
  await rows.saveSecret(tx, id, { secret: sealed, formerUntil, now });
  const payload = { overlap_hours: overlapHours };
  await record(tx, "webhook.secret_rotated", { webhook: id, actor, now, payload });
  return { webhook: { ...before, formerUntil, updatedAt: now }, secret: shown };
}

/** The webhook of this tenant; `not_found` for another's and for none. */
export async function webhookById(
  tx: TenantTx,
  id: Id<"webhook">,
  lock: "none" | "update" = "none",
): Promise<Webhook> {
  const webhook = await rows.findWebhook(tx, id, lock);
  if (webhook === undefined) throw unknownWebhook();
  return webhook;
}

/** The tenant's, newest first. */
export const webhooksOf = rows.listWebhooks;

const unknownWebhook = (): Problem => new Problem("not_found", { detail: "There is no such webhook." });

/** Name and address stay out of the log, where they could not be erased: an address may hold a secret. */
const factsOf = ({ events, active }: Webhook): EventPayload => ({ events, active });

async function record(
  tx: TenantTx,
  type: EventType,
  { webhook, actor, now, payload }: { webhook: Id<"webhook">; payload: EventPayload } & By,
): Promise<void> {
  await tx.record(newEvent(type, { tenant: tx.tenant, actor, subject: webhook, payload }, now));
}

/** The tables of this room. */
export const webhookTables = { webhooks: "tenant" } as const;
