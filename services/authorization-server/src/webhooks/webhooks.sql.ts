import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { DisabledBecause, Webhook } from "./webhooks.ts";

type Row = {
  readonly id: Id<"webhook">;
  readonly tenant_id: Id<"tenant">;
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly active: boolean;
  readonly failure_count: number;
  readonly failing_since: Instant | null;
  readonly disabled_at: Instant | null;
  readonly disabled_because: DisabledBecause | null;
  readonly former_until: Instant | null;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

const webhookOf = (row: Row): Webhook => ({
  id: row.id,
  tenant: row.tenant_id,
  name: row.name,
  url: row.url,
  events: row.events,
  active: row.active,
  failureCount: row.failure_count,
  failingSince: row.failing_since ?? undefined,
  disabled:
    row.disabled_at === null || row.disabled_because === null
      ? undefined
      : { at: row.disabled_at, because: row.disabled_because },
  formerUntil: row.former_until ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

/** Writes it unless the tenant has `max` already; false then. Those of one tenant wait for each other. */
export async function insertWebhook(
  tx: TenantTx,
  webhook: Webhook & { readonly secret: Uint8Array },
  max: number,
): Promise<boolean> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`webhooks ${tx.tenant}`}, 0))`);
  const { count } =
    await tx.run(sql`insert into webhooks (tenant_id, id, name, url, events, active, secret, created_at, updated_at)
    select ${tx.tenant}, ${webhook.id}, ${webhook.name}, ${webhook.url}, ${[...webhook.events]}::text[], ${webhook.active},
      ${webhook.secret}::bytea, ${sqlTime(webhook.createdAt)}::timestamptz, ${sqlTime(webhook.createdAt)}::timestamptz
    where (select count(*) from webhooks) < ${max}`);
  return count === 1;
}

export async function findWebhook(
  tx: TenantTx,
  id: Id<"webhook">,
  lock: "none" | "update" = "none",
): Promise<Webhook | undefined> {
  const row = await tx.maybe<Row>(
    lock === "none"
      ? sql`select * from webhooks where id = ${id}`
      : sql`select * from webhooks where id = ${id} for no key update`,
  );
  return row && webhookOf(row);
}

export async function listWebhooks(
  tx: TenantTx,
  page: { readonly limit: number; readonly before?: Id<"webhook"> | undefined },
): Promise<Webhook[]> {
  const found = await tx.many<Row>(sql`select * from webhooks
    where (${page.before ?? null}::text is null or id < ${page.before ?? null}) order by id desc limit ${page.limit}`);
  return found.map(webhookOf);
}

/** What its owner says of it. Turned on again, it has failed never. */
export async function saveWebhook(
  tx: TenantTx,
  webhook: Webhook,
  { turnedOn }: { readonly turnedOn: boolean },
): Promise<void> {
  await tx.run(sql`update webhooks set name = ${webhook.name}, url = ${webhook.url},
      events = ${[...webhook.events]}::text[], active = ${webhook.active}, updated_at = ${sqlTime(webhook.updatedAt)},
      failure_count = case when ${turnedOn}::boolean then 0 else failure_count end,
      failing_since = case when ${turnedOn}::boolean then null else failing_since end,
      dead_told_at = case when ${turnedOn}::boolean then null else dead_told_at end,
      disabled_at = case when ${turnedOn}::boolean then null else disabled_at end,
      disabled_because = case when ${turnedOn}::boolean then null else disabled_because end
    where id = ${webhook.id}`);
}

/** The secret of now becomes the former one until a time, or is forgotten. */
export async function saveSecret(
  tx: TenantTx,
  id: Id<"webhook">,
  change: { readonly secret: Uint8Array; readonly formerUntil: Instant | undefined; readonly now: Instant },
): Promise<void> {
  const until = change.formerUntil === undefined ? null : sqlTime(change.formerUntil);
  await tx.run(sql`update webhooks set secret = ${change.secret}, former_until = ${until}::timestamptz,
      former_secret = case when ${until}::timestamptz is null then null else secret end, updated_at = ${sqlTime(change.now)}
    where id = ${id}`);
}

export async function deleteWebhook(tx: TenantTx, id: Id<"webhook">): Promise<Webhook | undefined> {
  const row = await tx.maybe<Row>(sql`delete from webhooks where id = ${id} returning *`);
  return row && webhookOf(row);
}
