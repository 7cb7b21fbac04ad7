import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, type Sql, sql, sqlTime } from "@remit/platform/sql";
import type { Lane } from "../lanes/index.ts";
import type { DeliveryStatus } from "./deliveries.ts";

export type Listener = {
  readonly tenant: Id<"tenant">;
  readonly webhook: Id<"webhook">;
  readonly events: readonly string[];
  readonly since: Instant;
};

/** Who of these tenants listens to what: all that a reader of the outbox sees of webhooks. Suspended ones do not. */
export const listenersOf = (tx: RelayTx, tenants: readonly string[]): Promise<Listener[]> =>
  tx.many<Listener>(sql`
    select w.tenant_id as tenant, w.id as webhook, w.events, w.created_at as since
    from webhooks w join tenant_standings o on o.tenant_id = w.tenant_id and o.status = 'active'
    where w.active and w.tenant_id = any(${tenants})`);

export type NewDeliveries = {
  readonly tenant: Id<"tenant">;
  readonly event: Id<"event">;
  readonly type: string;
  readonly body: string;
  readonly deliveries: readonly { readonly id: Id<"delivery">; readonly webhook: Id<"webhook"> }[];
};

export async function insertDeliveries(
  tx: Sql,
  events: readonly NewDeliveries[],
  now: Instant,
): Promise<void> {
  const given = events.map(({ tenant, event, type, body, deliveries }) => ({
    tenant_id: tenant,
    event_id: event,
    type,
    body,
    deliveries: deliveries.map(({ id, webhook }) => ({ id, webhook_id: webhook })),
  }));
  await tx.run(
    sql`select insert_webhook_deliveries(${JSON.stringify(given)}::jsonb, ${sqlTime(now)}::timestamptz)`,
  );
}

export type Started = Lane & {
  readonly delivery: Id<"delivery">;
  readonly event: Id<"event">;
  readonly attempt: number;
  readonly round: number;
  readonly due: Instant;
  readonly body: string;
  readonly url: string;
  readonly secret: Uint8Array;
  readonly former: Uint8Array | null;
};

/** Takes what is due of lanes that are ours, as many of each as there is room for, and counts the attempts. */
export function startAttempts(
  tx: Sql,
  lanes: readonly (Lane & { readonly room: number })[],
  now: Instant,
): Promise<Started[]> {
  const given = lanes.map(({ tenant, webhook, lease, room }) => ({
    tenant_id: tenant,
    webhook_id: webhook,
    lease: String(lease),
    room,
  }));
  return tx.many<Started>(sql`
    select tenant_id as tenant, webhook_id as webhook, lease, delivery_id as delivery, event_id as event, attempt, round,
      due_at as due, body, url, secret, former_secret as former
    from start_webhook_attempts(${JSON.stringify(given)}::jsonb, ${sqlTime(now)}::timestamptz)`);
}

export type Ended = Pick<Started, "tenant" | "webhook" | "lease" | "delivery" | "attempt" | "url"> & {
  readonly at: Instant;
  readonly durationMs: number;
  readonly signature: string;
  readonly responseStatus: number | undefined;
  readonly responseBody: string | undefined;
  readonly error: string | undefined;
  readonly status: DeliveryStatus;
  readonly nextAt: Instant | undefined;
};

/** What became of a webhook by attempts that ended: disabled, or with dead letters that its owner has not been told of. */
export type Consequence = {
  readonly tenant: Id<"tenant">;
  readonly webhook: Id<"webhook">;
  readonly disabled: "gone" | "failing" | null;
  readonly dead: bigint;
};

export function finishAttempts(
  tx: Sql,
  ended: readonly Ended[],
  times: { readonly now: Instant; readonly failingBefore: Instant; readonly toldBefore: Instant },
): Promise<Consequence[]> {
  return tx.many<Consequence>(sql`
    select tenant_id as tenant, webhook_id as webhook, disabled, dead from finish_webhook_attempts(
      ${JSON.stringify(ended.map(inJson))}::jsonb, ${sqlTime(times.now)}::timestamptz,
      ${sqlTime(times.failingBefore)}::timestamptz, ${sqlTime(times.toldBefore)}::timestamptz)`);
}

const inJson = (end: Ended) => ({
  tenant_id: end.tenant,
  webhook_id: end.webhook,
  delivery_id: end.delivery,
  lease: String(end.lease),
  attempt: end.attempt,
  started_at: sqlTime(end.at),
  duration_ms: end.durationMs,
  url: end.url,
  signature: end.signature,
  response_status: end.responseStatus ?? null,
  response_body: end.responseBody ?? null,
  error: end.error ?? null,
  status: end.status,
  next_at: end.nextAt === undefined ? null : sqlTime(end.nextAt),
});
