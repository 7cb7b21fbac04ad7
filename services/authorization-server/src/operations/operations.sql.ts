import { type RelayTx, sql } from "@remit/platform/sql";

export type Lags = {
  /** Seconds that the oldest due job has waited without a worker. */
  readonly jobs: number;
  readonly jobs_dead: bigint;
  /** Seconds since the first event that the slowest reader of the outbox has not read. */
  readonly outbox: number;
  readonly audit_waiting: bigint;
  readonly audit_broken: bigint;
  /** Seconds that the webhook which is due the longest has waited for whoever sends. */
  readonly webhooks: number;
};

const countMax = 10_000;

/** Each by an index, and counted up to 10,000: whoever asks often must not be what is slow. */
export const readLags = (tx: RelayTx): Promise<Lags> =>
  tx.one(sql`
    select
      coalesce((select greatest(0, extract(epoch from clock_timestamp() - run_at))
        from jobs where leased_until is null and run_at <= clock_timestamp() order by run_at limit 1), 0)::float8 jobs,
      (select count(*) from (select from dead_jobs limit ${countMax}) dead) jobs_dead,
      coalesce((select max(greatest(0, extract(epoch from clock_timestamp() - first.at))) from outbox_cursors c
        cross join lateral (select at from outbox o where (o.xid, o.seq) > (c.xid, c.seq) order by xid, seq limit 1) first), 0)::float8 outbox,
      (select count(*) from (select from audit_queue limit ${countMax}) waiting) audit_waiting,
      (select count(*) from audit_verifications where broken_seq is not null) audit_broken,
      coalesce((select greatest(0, extract(epoch from clock_timestamp() - due_at))
        from webhook_lanes where leased_until is null and due_at <= clock_timestamp()
          and coalesce(held_until, due_at) <= clock_timestamp() order by due_at limit 1), 0)::float8 webhooks`);

export const appliedMigrations = async (tx: RelayTx): Promise<string[]> =>
  (await tx.many<{ id: string }>(sql`select id from remit_migrations`)).map(({ id }) => id);
