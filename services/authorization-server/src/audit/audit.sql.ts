import type { Instant } from "@remit/kernel";
import { type Sql, type Statement, sql, sqlTime, type Tx } from "@remit/platform/sql";

/** The body is null once it has expired and was removed. */
export type BodyRow = { readonly event_id: string; readonly body: string | null };
export type ChainRow = BodyRow & {
  readonly seq: bigint;
  readonly prev_hash: string;
  readonly entry_hash: string;
  readonly sig_chain_head_seq: bigint;
  readonly sig_chain_head_jti: string | null;
  readonly leaf: Uint8Array;
  readonly digest: Uint8Array;
};
/** With the columns by which entries are found: they too must be what the body says. */
export type CheckedRow = ChainRow & RecordedRow;
export type RecordedRow = BodyRow & {
  readonly digest: Uint8Array;
  readonly at: Instant | null;
  readonly event: string | null;
  readonly subject: string | null;
};
/** A row of the queue, with nothing where none was recorded. */
export type QueuedRow = Omit<RecordedRow, "body" | "digest"> & {
  readonly body: string | null;
  readonly digest: Uint8Array | null;
  readonly placed: boolean;
};
export type Aside = { readonly eventId: string; readonly reason: string };
export type Head = {
  readonly seq: bigint;
  readonly entry_hash: string;
  readonly checkpoint_seq: bigint;
  readonly checkpoint_jti: string | null;
};

export type NewRow = {
  readonly tenant: string;
  readonly eventId: string;
  readonly at: Instant;
  readonly event: string;
  readonly subject: string;
  readonly body: string;
  readonly digest: Uint8Array;
};

/** The row and its place in the queue, in one statement; count 0 when the event was recorded before. */
export const insertionOf = (row: NewRow): Statement => sql`
    with recorded as (
      insert into audit_rows (tenant_id, event_id, at, event, subject, body, digest)
      values (${row.tenant}, ${row.eventId}, ${sqlTime(row.at)}, ${row.event}, ${row.subject}, ${row.body}, ${row.digest})
      on conflict do nothing
      returning tenant_id, event_id)
    insert into audit_queue (tenant_id, event_id) select tenant_id, event_id from recorded`;

/** New events, for the log and the outbox alike; with the commit at the latest. */
export const insertEvents = (
  tx: Pick<Tx, "defer">,
  { audit, events }: { readonly audit: string; readonly events: string },
): void => tx.defer(sql`select record_events(${audit}::jsonb, ${events}::jsonb)`);

/** Rows as `record_audit_rows` takes them. */
export const asJson = (given: readonly NewRow[]): string =>
  JSON.stringify(
    given.map(({ tenant, eventId, at, event, subject, body, digest }) => ({
      tenant_id: tenant,
      event_id: eventId,
      at: sqlTime(at),
      event,
      subject,
      body,
      digest: Buffer.from(digest).toString("hex"),
    })),
  );

export const waitingTenants = (tx: Sql): Promise<{ tenant_id: string }[]> =>
  tx.many(sql`select distinct tenant_id from audit_queue limit 1000`);

export const tenantsToSign = (tx: Sql): Promise<{ tenant_id: string }[]> =>
  tx.many(sql`select tenant_id from audit_heads where seq > checkpoint_seq limit 1000`);

/** The head of the chain, locked until the transaction ends: only one sequencer extends a chain at a time. */
export const lockHead = (tx: Sql, tenant: string, genesis: string): Promise<Head> =>
  tx.one(sql`
    insert into audit_heads as head (tenant_id, entry_hash) values (${tenant}, ${genesis})
    on conflict (tenant_id) do update set seq = head.seq
    returning seq, entry_hash, checkpoint_seq, checkpoint_jti`);

export const takeQueued = (tx: Sql, tenant: string, limit: number): Promise<QueuedRow[]> =>
  tx.many(sql`
    with taken as (
      delete from audit_queue where tenant_id = ${tenant} and event_id in
        (select event_id from audit_queue where tenant_id = ${tenant} order by event_id limit ${limit})
      returning event_id)
    select event_id, body, digest, at, event, subject, exists (
      select from audit_chain c where c.tenant_id = ${tenant} and c.event_id = taken.event_id) as placed
    from taken left join (select * from audit_rows where tenant_id = ${tenant}) r using (event_id)
    order by at, event_id`);

export const setAside = (
  tx: Sql,
  { tenant, at, lost }: { readonly tenant: string; readonly at: Instant; readonly lost: readonly Aside[] },
): Promise<{ count: number }> =>
  tx.run(sql`
    insert into audit_set_aside (tenant_id, event_id, at, reason)
    select ${tenant}, l."eventId", ${sqlTime(at)}, l.reason
    from jsonb_to_recordset(${JSON.stringify(lost)}::jsonb) as l("eventId" text, reason text)
    on conflict (tenant_id, event_id) do update set at = excluded.at, reason = excluded.reason`);

export const anyAside = (
  tx: Sql,
  tenant: string,
): Promise<{ event_id: string; reason: string } | undefined> =>
  tx.maybe(sql`select event_id, reason from audit_set_aside where tenant_id = ${tenant} limit 1`);

export type Place = {
  readonly seq: number;
  readonly eventId: string;
  readonly prevHash: string;
  readonly entryHash: string;
  readonly checkpointSeq: number;
  readonly checkpointJti: string | null;
  readonly leaf: Uint8Array;
};

/** The places of a batch, in one statement: the lock of the head is held no longer than it must be. */
export const insertPlaces = (tx: Sql, tenant: string, places: readonly Place[]): Promise<{ count: number }> =>
  tx.run(sql`
    insert into audit_chain
      (tenant_id, seq, event_id, prev_hash, entry_hash, sig_chain_head_seq, sig_chain_head_jti, leaf)
    select ${tenant}, p.seq, p."eventId", p."prevHash", p."entryHash", p."checkpointSeq", p."checkpointJti",
      decode(p.leaf, 'hex')
    from jsonb_to_recordset(${JSON.stringify(places.map(inJson))}::jsonb) as p(seq bigint, "eventId" text,
      "prevHash" text, "entryHash" text, "checkpointSeq" bigint, "checkpointJti" text, leaf text)`);

const inJson = (place: Place) => ({ ...place, leaf: Buffer.from(place.leaf).toString("hex") });

export const moveHead = (
  tx: Sql,
  tenant: string,
  head: { seq: number; hash: string },
): Promise<{ count: number }> =>
  tx.run(sql`
    update audit_heads set seq = ${head.seq}, entry_hash = ${head.hash}
    where tenant_id = ${tenant} and seq < ${head.seq}`);

export type NewCheckpoint = {
  readonly tenant: string;
  readonly headSeq: number;
  readonly jti: string;
  readonly at: Instant;
  readonly jws: string;
  readonly note: string;
};

export const insertCheckpoint = (tx: Sql, row: NewCheckpoint): Promise<{ count: number }> =>
  tx.run(sql`
    with signed as (
      insert into audit_checkpoints (tenant_id, head_seq, jti, signed_at, jws, note)
      values (${row.tenant}, ${row.headSeq}, ${row.jti}, ${sqlTime(row.at)}, ${row.jws}, ${row.note})
      returning tenant_id)
    update audit_heads set checkpoint_seq = ${row.headSeq}, checkpoint_jti = ${row.jti}
    from signed where audit_heads.tenant_id = signed.tenant_id`);

/** The places after one, in their order. */
export const readChain = (
  tx: Sql,
  tenant: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<CheckedRow[]> =>
  tx.many(sql`
    select chain.seq, chain.event_id, chain.prev_hash, chain.entry_hash, chain.sig_chain_head_seq,
      chain.sig_chain_head_jti, chain.leaf, audit_rows.body, audit_rows.digest, audit_rows.at, audit_rows.event,
      audit_rows.subject
    from audit_chain chain join audit_rows using (tenant_id, event_id)
    where chain.tenant_id = ${tenant} and chain.seq > ${after} order by chain.seq limit ${limit}`);

/** Signed checkpoints over the places after one, in their order. */
export const readCheckpoints = (
  tx: Sql,
  tenant: string,
  { after, limit }: { readonly after: number; readonly limit: number },
): Promise<{ head_seq: bigint; jws: string }[]> =>
  tx.many(sql`
    select head_seq, jws from audit_checkpoints
    where tenant_id = ${tenant} and head_seq > ${after} order by head_seq limit ${limit}`);

export const newestCheckpoint = (tx: Sql, tenant: string): Promise<{ jws: string } | undefined> =>
  tx.maybe(sql`
    select jws from audit_checkpoints where tenant_id = ${tenant} order by head_seq desc limit 1`);

/** The last checkpoint signed before a time. */
export const checkpointBefore = (
  tx: Sql,
  tenant: string,
  at: Instant,
): Promise<{ jws: string } | undefined> =>
  tx.maybe(sql`
    select jws from audit_checkpoints where tenant_id = ${tenant} and signed_at < ${sqlTime(at)}
    order by signed_at desc, head_seq desc limit 1`);

/** The first checkpoint signed at a time or after it. */
export const checkpointAfter = (tx: Sql, tenant: string, at: Instant): Promise<{ jws: string } | undefined> =>
  tx.maybe(sql`
    select jws from audit_checkpoints where tenant_id = ${tenant} and signed_at >= ${sqlTime(at)}
    order by signed_at, head_seq limit 1`);

/** The first and the last place of what was recorded in a time. */
export const placesWithin = async (
  tx: Sql,
  tenant: string,
  { from, before }: { readonly from: Instant; readonly before: Instant },
): Promise<{ first: number | null; last: number | null }> => {
  const { first, last } = await tx.one<{ first: bigint | null; last: bigint | null }>(sql`
    select min(seq) as first, max(seq) as last from audit_chain join audit_rows using (tenant_id, event_id)
    where tenant_id = ${tenant} and at >= ${sqlTime(from)} and at < ${sqlTime(before)}`);
  return { first: first === null ? null : Number(first), last: last === null ? null : Number(last) };
};

/** The last checkpoint before a place. */
export const checkpointBelow = (tx: Sql, tenant: string, seq: number): Promise<{ jws: string } | undefined> =>
  tx.maybe(sql`
    select jws from audit_checkpoints where tenant_id = ${tenant} and head_seq < ${seq}
    order by head_seq desc limit 1`);

/** The first checkpoint at a place or after it. */
export const checkpointOver = (tx: Sql, tenant: string, seq: number): Promise<{ jws: string } | undefined> =>
  tx.maybe(sql`
    select jws from audit_checkpoints where tenant_id = ${tenant} and head_seq >= ${seq}
    order by head_seq limit 1`);

/** Where the chain ends, as its sequencer knows. */
export async function headSeq(tx: Sql, tenant: string): Promise<number> {
  const head = await tx.maybe<{ seq: bigint }>(sql`select seq from audit_heads where tenant_id = ${tenant}`);
  return Number(head?.seq ?? 0);
}

export const entryHashAt = async (tx: Sql, tenant: string, seq: number): Promise<string | undefined> =>
  (
    await tx.maybe<{ entry_hash: string }>(
      sql`select entry_hash from audit_chain where tenant_id = ${tenant} and seq = ${seq}`,
    )
  )?.entry_hash;

export const eventAt = (tx: Sql, tenant: string, seq: number): Promise<{ event_id: string } | undefined> =>
  tx.maybe(sql`select event_id from audit_chain where tenant_id = ${tenant} and seq = ${seq}`);

export const logsToVerify = (tx: Sql, after: string): Promise<{ tenant_id: string }[]> =>
  tx.many(sql`select tenant_id from audit_heads where tenant_id > ${after} order by tenant_id limit 500`);

export const saveVerification = (
  tx: Sql,
  row: { tenant: string; at: Instant; headSeq: number; brokenSeq: number | null; reason: string | null },
): Promise<{ count: number }> =>
  tx.run(sql`
    insert into audit_verifications as v (tenant_id, at, head_seq, broken_seq, reason)
    values (${row.tenant}, ${sqlTime(row.at)}, ${row.headSeq}, ${row.brokenSeq}, ${row.reason})
    on conflict (tenant_id) do update set at = excluded.at, head_seq = excluded.head_seq,
      broken_seq = excluded.broken_seq, reason = excluded.reason`);

/** How many logs were found broken when they were verified last, or were not verified since a time. */
export async function doubtfulLogs(tx: Sql, since: Instant): Promise<number> {
  const { count } = await tx.one<{ count: bigint }>(
    sql`select count(*) as count from audit_verifications
      where broken_seq is not null or at < ${sqlTime(since)}`,
  );
  return Number(count);
}

/** Rows that stand neither in the chain nor in the queue: put there by somebody else than the log. */
export const strayRows = (
  tx: Sql,
  tenant: string,
  { from, before }: { readonly from: Instant; readonly before: Instant },
): Promise<{ event_id: string }[]> =>
  tx.many(sql`
    select event_id from audit_rows rows where tenant_id = ${tenant}
      and at >= ${sqlTime(from)} and at < ${sqlTime(before)}
      and not exists (select from audit_chain c where c.tenant_id = rows.tenant_id and c.event_id = rows.event_id)
      and not exists (select from audit_queue q where q.tenant_id = rows.tenant_id and q.event_id = rows.event_id)
    limit 10`);

/** The newest bodies of some kinds of events in the tenant's log, newest first. */
export const recentBodies = (tx: Sql, events: readonly string[], limit: number): Promise<BodyRow[]> =>
  tx.many(sql`select event_id, body from audit_rows
    where tenant_id = nullif(current_setting('remit.tenant', true), '') and event = any(${events})
      and split_part(event, '.', 1) in ('account', 'consent', 'identity', 'security', 'session', 'factor', 'passkey')
    order by event_id desc limit ${limit}`);

/** Of the transaction's tenant, by an index of their own. */
export const bodiesAbout = (
  tx: Sql,
  { subject, before, limit }: { subject: string; before: string | undefined; limit: number },
): Promise<BodyRow[]> =>
  tx.many(sql`select event_id, body from audit_rows
    where tenant_id = nullif(current_setting('remit.tenant', true), '') and subject = ${subject}
      and event_id < ${before ?? "~"}
    order by event_id desc limit ${limit}`);
