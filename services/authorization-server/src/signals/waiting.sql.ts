import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { JsonObject, SignalName, SubjectId } from "@remit/protocol";

/** A signal that has its place and waits to be acknowledged. */
export type Signal = {
  readonly seq: number;
  readonly jti: Id<"signal">;
  readonly txn: string;
  readonly name: SignalName;
  readonly subject: SubjectId;
  readonly data: JsonObject;
  readonly createdAt: Instant;
};

type Row = Omit<Signal, "seq" | "createdAt"> & { readonly seq: bigint; readonly created_at: Instant };

const signalOf = ({ seq, created_at, ...row }: Row): Signal => ({
  ...row,
  seq: Number(seq),
  createdAt: created_at,
});

/** The first that wait, in their order. What is paused or disabled tells nothing (SSF 1.0 §8.1.2.1). */
export async function firstWaiting(tx: TenantTx, stream: Id<"stream">, limit: number): Promise<Signal[]> {
  const found = await tx.many<Row>(sql`
    select seq, jti, txn, name, subject, data, created_at from signals
    where tenant_id = ${tx.tenant} and stream_id = ${stream} and exists (
      select from signal_streams s where s.id = ${stream} and s.status = 'enabled')
    order by seq limit ${limit}`);
  return found.map(signalOf);
}

/** Forgets what has come, or will never be taken; returns which of them there were. */
export async function forget(
  tx: TenantTx,
  stream: Id<"stream">,
  jtis: readonly string[],
): Promise<ReadonlySet<string>> {
  const gone = await tx.many<{ jti: string }>(sql`
    delete from signals where jti = any(${[...jtis]}::text[]) and tenant_id = ${tx.tenant} and stream_id = ${stream}
    returning jti`);
  return new Set(gone.map(({ jti }) => jti));
}

export type Lane = {
  readonly stream: Id<"stream">;
  readonly tenant: Id<"tenant">;
  readonly lease: bigint;
};

export type Taking = {
  readonly now: Instant;
  readonly limit: number;
  readonly leaseMs: number;
  /** Whether lanes of services of ours are asked for, which are the platform's, or those of organizations. */
  readonly inside: boolean;
  readonly platform: string;
  /** Whose lanes we hold, each as often as we do. */
  readonly held: readonly Id<"tenant">[];
  /** How many of one tenant we hold at most. */
  readonly share: number;
};

/**
 * Lanes that are due and that nobody has, or whose holder has died; of a tenant no more than its share. Leases run by the
 * database's clock.
 */
export const takeLanes = (
  tx: RelayTx,
  { now, limit, leaseMs, inside, platform, held, share }: Taking,
): Promise<Lane[]> =>
  tx.many<Lane>(sql`
    with ready as (
      select stream_id, tenant_id, least(due_at, leased_until) as since,
        row_number() over (partition by tenant_id order by least(due_at, leased_until)) as place
      from signal_lanes
      where ((leased_until is null and due_at <= ${sqlTime(now)}) or leased_until < clock_timestamp())
        and (tenant_id = ${platform}) = ${inside}
    ), next as (
      select r.stream_id from ready r
      where r.place + (select count(*) from unnest(${[...held]}::text[]) as h (tenant) where h.tenant = r.tenant_id) <= ${share}
      order by r.since limit ${limit}
    ), due as (
      select stream_id from signal_lanes
      where stream_id in (select stream_id from next)
        and ((leased_until is null and due_at <= ${sqlTime(now)}) or leased_until < clock_timestamp())
      for update skip locked)
    update signal_lanes l set lease = lease + 1, due_at = 'infinity',
      leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    from due where l.stream_id = due.stream_id
    returning l.stream_id as stream, l.tenant_id as tenant, l.lease`);

/** Lengthens leases; returns the streams whose lanes are still ours. */
export async function renewLanes(tx: RelayTx, held: readonly Lane[], leaseMs: number): Promise<Set<string>> {
  const rows = await tx.many<{ stream: string }>(sql`
    update signal_lanes l set leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    from unnest(${held.map(({ stream }) => stream)}::text[], ${held.map(({ lease }) => lease)}::bigint[])
      as mine (stream_id, lease)
    where l.stream_id = mine.stream_id and l.lease = mine.lease
    returning l.stream_id as stream`);
  return new Set(rows.map(({ stream }) => stream));
}

/** Locks our lane, so that nothing that comes meanwhile is missed; false when somebody else has it. */
export async function lockLane(tx: Sql, { stream, lease }: Lane): Promise<boolean> {
  const row = await tx.maybe(sql`
    select from signal_lanes where stream_id = ${stream} and lease = ${lease} and leased_until is not null for update`);
  return row !== undefined;
}

/** Lets others have it, from a time on; undefined keeps it to when somebody woke it since it was taken. */
export async function releaseLane(
  tx: Sql,
  { stream, lease }: Lane,
  dueAt: Instant | undefined,
): Promise<void> {
  await tx.run(sql`
    update signal_lanes set leased_until = null,
      due_at = coalesce(${dueAt === undefined ? null : sqlTime(dueAt)}::timestamptz, due_at)
    where stream_id = ${stream} and lease = ${lease}`);
}

/** Where a stream is pushed, while it is. */
export type Pushing = {
  readonly endpoint: string;
  readonly header: Uint8Array | null;
  readonly audience: string;
  readonly wide: boolean;
  readonly failures: number;
  readonly failingSince: Instant | null;
};

/** Undefined while it is not pushed. Nothing gets a place in it until the transaction ends. */
export const lockPushing = (tx: TenantTx, stream: Id<"stream">): Promise<Pushing | undefined> =>
  tx.maybe<Pushing>(sql`
    select s.endpoint_url as endpoint, s.push_header as header, s.audience, s.wide, s.failures,
      s.failing_since as "failingSince"
    from signal_streams s
    where s.id = ${stream} and s.status = 'enabled' and s.method = 'push' and (s.wide or exists (
      select from tenant_standings o where o.tenant_id = s.tenant_id and o.status = 'active'))
    for no key update of s`);

export async function saveFailures(
  tx: TenantTx,
  stream: Id<"stream">,
  failing: { readonly failures: number; readonly since: Instant } | undefined,
): Promise<void> {
  await tx.run(sql`
    update signal_streams set failures = ${failing?.failures ?? 0},
      failing_since = ${failing === undefined ? null : sqlTime(failing.since)}::timestamptz
    where id = ${stream}`);
}

const batchMax = 5_000;

/** What nobody has fetched for a week. The policy shows the relay nothing else; the statement says so again, for the planner. */
export async function sweepSignals(tx: RelayTx): Promise<number> {
  const { count } = await tx.run(sql`
    delete from signals where (tenant_id, stream_id, seq) in (
      select tenant_id, stream_id, seq from signals where created_at < now() - interval '7 days' limit ${batchMax})`);
  return count;
}
