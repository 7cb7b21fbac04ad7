import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Attempt, Delivery, DeliveryStatus } from "./deliveries.ts";

type Row = {
  readonly id: Id<"delivery">;
  readonly webhook_id: Id<"webhook">;
  readonly event_id: Id<"event">;
  readonly type: string;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly next_at: Instant | null;
  readonly response_status: number | null;
  readonly error: string | null;
  readonly created_at: Instant;
  readonly ended_at: Instant | null;
};

const deliveryOf = (row: Row): Delivery => ({
  id: row.id,
  webhook: row.webhook_id,
  event: row.event_id,
  type: row.type,
  status: row.status,
  attempts: row.attempts,
  nextAt: row.next_at ?? undefined,
  responseStatus: row.response_status ?? undefined,
  error: row.error ?? undefined,
  createdAt: row.created_at,
  endedAt: row.ended_at ?? undefined,
});

export type Page = {
  readonly webhook: Id<"webhook">;
  readonly limit: number;
  readonly before?: Id<"delivery"> | undefined;
  readonly status?: DeliveryStatus | undefined;
  /** An event's type, or `noun.` for all of a noun. */
  readonly type?: string | undefined;
  readonly since?: Instant | undefined;
  readonly until?: Instant | undefined;
};

const timeOrNull = (at: Instant | undefined): string | null => (at === undefined ? null : sqlTime(at));

export async function listDeliveries(tx: TenantTx, page: Page): Promise<Delivery[]> {
  const [since, until] = [timeOrNull(page.since), timeOrNull(page.until)];
  const found = await tx.many<Row>(sql`
    select id, webhook_id, event_id, type, status, attempts, next_at, response_status, error, created_at, ended_at
    from webhook_deliveries
    where tenant_id = ${tx.tenant} and webhook_id = ${page.webhook}
      and (${page.before ?? null}::text is null or id < ${page.before ?? null})
      and (${page.status ?? null}::text is null or status = ${page.status ?? null})
      and (${page.type ?? null}::text is null or type = ${page.type ?? null})
      and (${since}::timestamptz is null or created_at >= ${since}::timestamptz)
      and (${until}::timestamptz is null or created_at < ${until}::timestamptz)
    order by id desc limit ${page.limit}`);
  return found.map(deliveryOf);
}

export type Named = { readonly webhook: Id<"webhook">; readonly delivery: Id<"delivery"> };

/** With the body that is sent, which has had its time when the delivery has. */
export async function findDelivery(
  tx: TenantTx,
  { webhook, delivery }: Named,
): Promise<{ readonly delivery: Delivery; readonly body: string } | undefined> {
  const row = await tx.maybe<Row & { readonly body: string }>(sql`
    select d.id, d.webhook_id, d.event_id, d.type, d.status, d.attempts, d.next_at, d.response_status, d.error, d.created_at,
      d.ended_at, e.body
    from webhook_deliveries d join webhook_events e on e.tenant_id = d.tenant_id and e.id = d.event_id
    where d.tenant_id = ${tx.tenant} and d.id = ${delivery} and d.webhook_id = ${webhook}`);
  return row && { delivery: deliveryOf(row), body: row.body };
}

type AttemptRow = {
  readonly attempt: number;
  readonly at: Instant;
  readonly duration_ms: number | null;
  readonly url: string;
  readonly signature: string | null;
  readonly response_status: number | null;
  readonly response_body: string | null;
  readonly error: string | null;
};

const attemptsShown = 100;

export async function listAttempts(tx: TenantTx, delivery: Id<"delivery">): Promise<Attempt[]> {
  const rows = await tx.many<AttemptRow>(sql`
    select attempt, at, duration_ms, url, signature, response_status, response_body, error from webhook_attempts
    where tenant_id = ${tx.tenant} and delivery_id = ${delivery} order by attempt desc limit ${attemptsShown}`);
  return rows.map((row) => ({
    attempt: row.attempt,
    at: row.at,
    durationMs: row.duration_ms ?? undefined,
    url: row.url,
    signature: row.signature ?? undefined,
    response:
      row.response_status === null
        ? undefined
        : { status: row.response_status, body: row.response_body ?? "" },
    error: row.error ?? undefined,
  }));
}

/** Sends one anew, from the first pause on; one that waits is sent at once. One that is being sent is left alone. */
export async function resendOne(tx: TenantTx, { webhook, delivery }: Named, now: Instant): Promise<boolean> {
  const { count } = await tx.run(sql`
    update webhook_deliveries set status = 'pending', round = 0, next_at = ${sqlTime(now)}, ended_at = null
    where tenant_id = ${tx.tenant} and id = ${delivery} and webhook_id = ${webhook} and lease = 0`);
  return count === 1;
}

export type Range = {
  readonly webhook: Id<"webhook">;
  readonly since: Instant;
  readonly until: Instant | undefined;
  readonly statuses: readonly DeliveryStatus[];
};

/** Sends anew what has ended in a range, oldest first, `limit` at most. */
export async function resendRange(
  tx: TenantTx,
  range: Range,
  { now, limit }: { readonly now: Instant; readonly limit: number },
): Promise<number> {
  const until = timeOrNull(range.until);
  const { count } = await tx.run(sql`
    update webhook_deliveries set status = 'pending', round = 0, next_at = ${sqlTime(now)}, ended_at = null
    where tenant_id = ${tx.tenant} and id in (
      select id from webhook_deliveries
      where tenant_id = ${tx.tenant} and webhook_id = ${range.webhook} and status = any(${[...range.statuses]})
        and created_at >= ${sqlTime(range.since)}
        and (${until}::timestamptz is null or created_at < ${until}::timestamptz)
      order by id limit ${limit} for update)`);
  return count;
}

export type NewDelivery = Named & {
  readonly event: Id<"event">;
  readonly type: string;
  readonly body: string;
  readonly now: Instant;
};

/** One delivery that no reader of the outbox made. */
export async function insertDelivery(tx: TenantTx, made: NewDelivery): Promise<void> {
  const at = sqlTime(made.now);
  await tx.run(sql`insert into webhook_events (tenant_id, id, type, body, created_at)
    values (${tx.tenant}, ${made.event}, ${made.type}, ${made.body}, ${at})`);
  await tx.run(sql`insert into webhook_deliveries (tenant_id, id, webhook_id, event_id, type, next_at, created_at)
    values (${tx.tenant}, ${made.delivery}, ${made.webhook}, ${made.event}, ${made.type}, ${at}, ${at})`);
}
