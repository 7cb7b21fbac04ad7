import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Lane, Leased } from "./lanes.ts";

export async function insertLane(tx: TenantTx, webhook: Id<"webhook">): Promise<void> {
  await tx.run(sql`insert into webhook_lanes (webhook_id, tenant_id) values (${webhook}, ${tx.tenant})`);
}

export async function deleteLane(tx: TenantTx, webhook: Id<"webhook">): Promise<void> {
  await tx.run(sql`delete from webhook_lanes where webhook_id = ${webhook} and tenant_id = ${tx.tenant}`);
}

export async function setDue(tx: TenantTx, webhook: Id<"webhook">, at: Instant): Promise<void> {
  await tx.run(sql`update webhook_lanes set due_at = least(due_at, ${sqlTime(at)}), held_until = null
    where webhook_id = ${webhook} and tenant_id = ${tx.tenant}`);
}

export async function setAllDue(tx: TenantTx, at: Instant): Promise<void> {
  await tx.run(sql`update webhook_lanes set due_at = least(due_at, ${sqlTime(at)})
    where webhook_id in (select id from webhooks where tenant_id = ${tx.tenant}) and tenant_id = ${tx.tenant}`);
}

/** The same of its streams, of what is pushed on them; returns which they are. */
export async function setSignalsDue(tx: TenantTx, at: Instant): Promise<Id<"stream">[]> {
  const rows = await tx.many<{ stream: Id<"stream"> }>(sql`
    update signal_lanes set due_at = least(due_at, ${sqlTime(at)}) where tenant_id = ${tx.tenant}
      and stream_id in (select stream_id from signal_lanes where tenant_id = ${tx.tenant} order by stream_id for update)
    returning stream_id as stream`);
  return rows.map(({ stream }) => stream);
}

export type Taking = { readonly now: Instant; readonly limit: number; readonly leaseMs: number };

/** Lanes that are due and that nobody has, or whose holder has died. Leases run by the database's clock. */
export const takeLanes = (tx: RelayTx, { now, limit, leaseMs }: Taking): Promise<Lane[]> =>
  tx.many<Lane>(sql`
    with due as (
      select webhook_id from webhook_lanes
      where ((leased_until is null and due_at <= ${sqlTime(now)}) or leased_until < clock_timestamp())
        and (held_until is null or held_until <= ${sqlTime(now)})
      order by least(due_at, leased_until) limit ${limit} for update skip locked)
    update webhook_lanes l set lease = lease + 1, due_at = 'infinity',
      leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    from due where l.webhook_id = due.webhook_id
    returning l.webhook_id as webhook, l.tenant_id as tenant, l.lease`);

/** Of the lanes held, those that got something to send meanwhile. */
export async function takeNews(tx: RelayTx, held: readonly Leased[], now: Instant): Promise<Id<"webhook">[]> {
  const rows = await tx.many<{ webhook: Id<"webhook"> }>(sql`
    update webhook_lanes l set due_at = 'infinity'
    from unnest(${held.map(({ webhook }) => webhook)}::text[], ${held.map(({ lease }) => lease)}::bigint[])
      as mine (webhook_id, lease)
    where l.webhook_id = mine.webhook_id and l.lease = mine.lease and l.due_at <= ${sqlTime(now)}
    returning l.webhook_id as webhook`);
  return rows.map(({ webhook }) => webhook);
}

/** Lengthens leases; returns those that are still ours. */
export async function renewLanes(
  tx: RelayTx,
  held: readonly Leased[],
  leaseMs: number,
): Promise<Set<Id<"webhook">>> {
  const rows = await tx.many<{ webhook: Id<"webhook"> }>(sql`
    update webhook_lanes l set leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    from unnest(${held.map(({ webhook }) => webhook)}::text[], ${held.map(({ lease }) => lease)}::bigint[])
      as mine (webhook_id, lease)
    where l.webhook_id = mine.webhook_id and l.lease = mine.lease
    returning l.webhook_id as webhook`);
  return new Set(rows.map(({ webhook }) => webhook));
}

export type Release = Lane & { readonly heldUntil: Instant | undefined };

export async function releaseLanes(tx: Sql, lanes: readonly Release[]): Promise<void> {
  const given = lanes.map(({ webhook, tenant, lease, heldUntil }) => ({
    webhook_id: webhook,
    tenant_id: tenant,
    lease: String(lease),
    held_until: heldUntil === undefined ? null : sqlTime(heldUntil),
  }));
  await tx.run(sql`select release_webhook_lanes(${JSON.stringify(given)}::jsonb)`);
}

/** Leases and what attempts came to may be lost with the database's last moments: it is then sent once more. */
export async function withoutSync(tx: Sql): Promise<void> {
  await tx.run(sql`set local synchronous_commit = off`);
}
