import type { Id, Instant } from "@remit/kernel";
import type { Actor, EventPayload, EventType, RemitEvent, Retention } from "@remit/protocol";
import { type RelayTx, type Statement, sql, sqlTime } from "../sql/index.ts";

const batchMax = 5_000;

/** Where a consumer stands: the last event it has handled. */
export type Position = { readonly xid: bigint; readonly seq: bigint };

/** Whether one place in the outbox comes after another. */
export const isAfter = (one: Position, other: Position): boolean =>
  one.xid > other.xid || (one.xid === other.xid && one.seq > other.seq);

export type Reading = Position & { readonly lease: bigint };

/** An event as a reader gets it. Of two events of one object, the later has the greater `order`; gaps mean nothing. */
export type Recorded = RemitEvent & { readonly order: number };
export type Placed = { readonly event: Recorded; readonly at: Position };

export const insertionOf = (event: RemitEvent): Statement => sql`
    insert into outbox (id, type, version, at, tenant_id, actor, subject, payload, retention)
    values (${event.id}, ${event.type}, ${event.version}, ${sqlTime(event.at)}, ${event.tenant},
      ${JSON.stringify(event.actor)}::jsonb, ${event.subject}, ${JSON.stringify(event.payload)}::jsonb, ${event.retention})`;

/** Events as rows in JSON, for a statement that writes more than them. */
export const outboxRowsOf = (events: readonly RemitEvent[]): string =>
  JSON.stringify(
    events.map(({ tenant, at, ...event }) => ({ ...event, tenant_id: tenant, at: sqlTime(at) })),
  );

/** Takes the consumer's cursor for a while; undefined while another process has it, or when there is nothing to read. */
export async function takeCursor(
  tx: RelayTx,
  taking: { consumer: string; leaseMs: number },
): Promise<Reading | undefined> {
  await tx.run(sql`insert into outbox_cursors (consumer) values (${taking.consumer}) on conflict do nothing`);
  // Asked whether there is anything first, so that an idle reader writes nothing.
  return await tx.maybe<Reading>(sql`
    update outbox_cursors c set lease = lease + 1, leased_until = now() + ${taking.leaseMs}::integer * interval '1 ms'
    where consumer = ${taking.consumer} and leased_until <= now() and exists (
      select from outbox o where (o.xid, o.seq) > (c.xid, c.seq) and o.xid < pg_snapshot_xmin(pg_current_snapshot()))
    returning xid, seq, lease`);
}

type Row = {
  readonly xid: bigint;
  readonly seq: bigint;
  readonly id: Id<"event">;
  readonly type: EventType;
  readonly version: number;
  readonly at: Instant;
  readonly tenant_id: RemitEvent["tenant"];
  readonly actor: Actor;
  readonly subject: string;
  readonly payload: EventPayload;
  readonly retention: Retention;
  readonly micros: bigint;
};

/** Events after the position whose transactions, and all older ones, have ended. */
export async function readAfter(tx: RelayTx, from: Position, limit: number): Promise<Placed[]> {
  const rows = await tx.many<Row>(sql`
    select xid, seq, id, type, version, at, tenant_id, actor, subject, payload, retention,
      (extract(epoch from coalesce(recorded_at, at)) * 1000000)::bigint as micros from outbox
    where (xid, seq) > (${String(from.xid)}::xid8, ${from.seq}::bigint)
      and xid < pg_snapshot_xmin(pg_current_snapshot())
    order by xid, seq limit ${limit}`);
  return rows.map(({ xid, seq, tenant_id, micros, ...event }) => ({
    event: { ...event, tenant: tenant_id, order: Number(micros) },
    at: { xid, seq },
  }));
}

export const findEnd = (tx: RelayTx): Promise<Position | undefined> =>
  tx.maybe<Position>(sql`select xid, seq from outbox order by xid desc, seq desc limit 1`);

export async function isRead(tx: RelayTx, consumer: string): Promise<boolean> {
  const { done } = await tx.one<{ done: boolean }>(sql`
    select coalesce((select not exists (select from outbox o where (o.xid, o.seq) > (c.xid, c.seq))
      from outbox_cursors c where c.consumer = ${consumer}), false) as done`);
  return done;
}

/** Seconds since the first event that a consumer has not handled; 0 when there is none. */
export async function ageOfUnread(tx: RelayTx, consumer: string): Promise<number> {
  const { age } = await tx.one<{ age: number }>(sql`
    select coalesce((select greatest(0, extract(epoch from clock_timestamp() - o.at)) from outbox o
      where (o.xid, o.seq) > (
        coalesce((select xid from outbox_cursors where consumer = ${consumer}), '0'::xid8),
        coalesce((select seq from outbox_cursors where consumer = ${consumer}), 0))
      order by xid, seq limit 1), 0)::float8 as age`);
  return age;
}

/** Ends the lease and moves the cursor; false when another process has taken over meanwhile. */
export async function releaseCursor(
  tx: RelayTx,
  release: { consumer: string; lease: bigint; to: Position },
): Promise<boolean> {
  const { count } = await tx.run(sql`
    update outbox_cursors set xid = ${String(release.to.xid)}::xid8, seq = ${release.to.seq}, leased_until = 'epoch'
    where consumer = ${release.consumer} and lease = ${release.lease}`);
  return count === 1;
}

export async function deleteRead(tx: RelayTx, before: Instant): Promise<number> {
  const { count } = await tx.run(sql`
    delete from outbox where (xid, seq) in (
      select xid, seq from outbox where at < ${sqlTime(before)}
        and (not exists (select from outbox_cursors)
          or (xid, seq) <= (select xid, seq from outbox_cursors order by xid, seq limit 1))
      order by xid, seq limit ${batchMax})`);
  return count;
}
