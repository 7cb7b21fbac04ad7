import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, sql, sqlTime, type Tx } from "../sql/index.ts";

export type NewJob = {
  readonly id: Id<"job">;
  readonly queue: string;
  readonly key: string | null;
  readonly payload: string;
  readonly runAt: Instant;
};

/** One row per queue and key: while a worker has it, it is marked to run again. With the commit at the latest. */
export const insertJob = (tx: Tx, job: NewJob): void =>
  tx.defer(sql`
    insert into jobs (id, queue, key, payload, run_at)
    values (${job.id}, ${job.queue}, ${job.key}, ${job.payload}::jsonb, ${sqlTime(job.runAt)})
    on conflict (queue, key) where key is not null do update set
      payload = excluded.payload,
      again = jobs.leased_until is not null,
      run_at = case when jobs.leased_until is null then least(jobs.run_at, excluded.run_at) else excluded.run_at end`);

export type Taken = {
  readonly id: Id<"job">;
  readonly queue: string;
  readonly key: string | null;
  readonly payload: unknown;
  readonly attempts: number;
  readonly lease: bigint;
};

export type Taking = {
  readonly queue: string;
  readonly limit: number;
  readonly now: JobsNow;
  readonly leaseMs: number;
};

/**
 * By which moment jobs are due. Undefined is the database's, which all workers share and no clock of theirs can move (K08);
 * a clock that was put in the machine's place says itself what time it is.
 */
export type JobsNow = Instant | undefined;

const momentOf = (now: JobsNow): string | null => (now === undefined ? null : sqlTime(now));

/** Takes jobs that are due and that no living worker has. */
export const takeJobs = (tx: RelayTx, { queue, limit, now, leaseMs }: Taking): Promise<Taken[]> =>
  tx.many<Taken>(sql`
    update jobs set attempts = attempts + 1, lease = lease + 1,
      leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    where id in (
      select id from jobs
      where queue = ${queue} and run_at <= coalesce(${momentOf(now)}::timestamptz, clock_timestamp()) and (leased_until is null or leased_until < clock_timestamp())
      order by run_at, id limit ${limit} for update skip locked)
    returning id, queue, key, payload, attempts, lease`);

export type Held = { readonly id: Id<"job">; readonly lease: bigint };

/** Lengthens leases; returns the ids of those that are still ours. */
export async function renewJobs(
  tx: RelayTx,
  held: readonly Held[],
  leaseMs: number,
): Promise<Set<Id<"job">>> {
  const rows = await tx.many<{ id: Id<"job"> }>(sql`
    update jobs set leased_until = clock_timestamp() + ${leaseMs}::integer * interval '1 ms'
    from unnest(${held.map(({ id }) => id)}::text[], ${held.map(({ lease }) => lease)}::bigint[]) as mine (id, lease)
    where jobs.id = mine.id and jobs.lease = mine.lease
    returning jobs.id`);
  return new Set(rows.map(({ id }) => id));
}

/** Ends a job that succeeded, unless it was enqueued again meanwhile; then it waits once more. */
export async function finishJob(tx: RelayTx, held: Held): Promise<void> {
  const { count } = await tx.run(sql`
    delete from jobs where id = ${held.id} and lease = ${held.lease} and not again`);
  if (count === 1) return;
  await tx.run(sql`
    update jobs set again = false, attempts = 0, leased_until = null, last_error = null
    where id = ${held.id} and lease = ${held.lease}`);
}

/** Lets a job run later, as one that has not failed. */
export async function postponeJob(tx: RelayTx, held: Held, runAt: Instant): Promise<void> {
  await tx.run(sql`
    update jobs set attempts = 0, leased_until = null, last_error = null, again = false,
      run_at = case when again then least(run_at, ${sqlTime(runAt)}) else ${sqlTime(runAt)} end
    where id = ${held.id} and lease = ${held.lease}`);
}

/** The same for some time from now on. */
export async function restJob(
  tx: RelayTx,
  held: Held,
  { restMs, now }: { restMs: number; now: JobsNow },
): Promise<void> {
  await tx.run(sql`
    with rested (until) as (select coalesce(${momentOf(now)}::timestamptz, clock_timestamp()) + ${restMs}::float8 * interval '1 ms')
    update jobs set attempts = 0, leased_until = null, last_error = null, again = false,
      run_at = case when again then least(run_at, until) else until end
    from rested where id = ${held.id} and lease = ${held.lease}`);
}

export type Failure = Held & { readonly error: string; readonly now: JobsNow };

export async function retryJob(
  tx: RelayTx,
  failure: Failure & { readonly backoffMs: number },
): Promise<void> {
  await tx.run(sql`
    update jobs set leased_until = null, last_error = ${failure.error}, again = false,
      run_at = coalesce(${momentOf(failure.now)}::timestamptz, clock_timestamp()) + ${failure.backoffMs}::float8 * interval '1 ms'
    where id = ${failure.id} and lease = ${failure.lease}`);
}

/** Ends a job that failed for good, unless it was enqueued again meanwhile: that is another one, and begins anew. */
export async function buryJob(tx: RelayTx, failure: Failure): Promise<void> {
  const { count } = await tx.run(sql`
    with dead as (delete from jobs where id = ${failure.id} and lease = ${failure.lease} and not again
      returning id, queue, key, payload, attempts, enqueued_at)
    insert into dead_jobs (id, queue, key, payload, attempts, last_error, enqueued_at, died_at)
    select id, queue, key, payload, attempts, ${failure.error}, enqueued_at,
      coalesce(${momentOf(failure.now)}::timestamptz, clock_timestamp()) from dead`);
  if (count === 1) return;
  await tx.run(sql`
    update jobs set again = false, attempts = 0, leased_until = null, last_error = ${failure.error}
    where id = ${failure.id} and lease = ${failure.lease}`);
}

/** The queues in which something is due, so that an idle worker asks one question. */
export async function dueQueues(tx: RelayTx, queues: readonly string[], now: JobsNow): Promise<string[]> {
  const rows = await tx.many<{ queue: string }>(sql`
    select queue from unnest(${queues}::text[]) as q (queue) where exists (
      select from jobs where jobs.queue = q.queue and run_at <= coalesce(${momentOf(now)}::timestamptz, clock_timestamp())
        and (leased_until is null or leased_until < clock_timestamp()))`);
  return rows.map(({ queue }) => queue);
}

/** Leases and endings may be lost with the database's last moments: the job then runs once more, as it may anyway. */
export async function withoutSync(tx: RelayTx): Promise<void> {
  await tx.run(sql`set local synchronous_commit = off`);
}

export type Turn = { readonly name: string; readonly lease: bigint };

/** Takes a schedule that nobody holds, and tells in how long it is due. */
export async function takeTurn(
  tx: RelayTx,
  taking: { name: string; leaseMs: number },
): Promise<(Turn & { readonly due_in_ms: number }) | undefined> {
  await tx.run(sql`insert into schedules (name) values (${taking.name}) on conflict do nothing`);
  return await tx.maybe<Turn & { readonly due_in_ms: number }>(sql`
    update schedules set lease = lease + 1, leased_until = clock_timestamp() + ${taking.leaseMs}::integer * interval '1 ms'
    where name = ${taking.name} and leased_until < clock_timestamp()
    returning name, lease, (extract(epoch from due_at - clock_timestamp()) * 1000)::float8 as due_in_ms`);
}

/** Lengthens the lease of a schedule and writes down in how long it is due next; false when somebody else holds it. */
export async function renewTurn(
  tx: RelayTx,
  renewal: Turn & { readonly dueInMs: number; readonly leaseMs: number },
): Promise<boolean> {
  const { count } = await tx.run(sql`
    update schedules set due_at = clock_timestamp() + ${renewal.dueInMs}::float8 * interval '1 ms',
      leased_until = clock_timestamp() + ${renewal.leaseMs}::integer * interval '1 ms'
    where name = ${renewal.name} and lease = ${renewal.lease}`);
  return count === 1;
}
