import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** A stream of the issuer that tells billing. */
export type Stream = {
  readonly id: string;
  /** In the address to which its signals are posted: the issuer's streams to us have one audience. */
  readonly label: string;
  /** `aud` of its signals. */
  readonly audience: string;
  /** At the issuer: where is fetched what has not arrived. */
  readonly pollPath: string;
  readonly endedAt: Instant | null;
  /** Every signal up to this place has been heard, and the furthest that has. */
  readonly whole: number;
  readonly furthest: number;
  /** Since when the next place is empty though later ones are not. */
  readonly gapSince: Instant | null;
};

type Row = {
  readonly id: string;
  readonly label: string;
  readonly audience: string;
  readonly poll_path: string;
  readonly ended_at: Instant | null;
  readonly whole: bigint;
  readonly furthest: bigint;
  readonly gap_since: Instant | null;
};

const streamOf = (row: Row): Stream => ({
  id: row.id,
  label: row.label,
  audience: row.audience,
  pollPath: row.poll_path,
  endedAt: row.ended_at,
  whole: Number(row.whole),
  furthest: Number(row.furthest),
  gapSince: row.gap_since,
});

const maybe = (row: Row | undefined): Stream | undefined => row && streamOf(row);

/** The stream whose signals are posted to an address with this label. */
export const streamLabelled = async (tx: Sql, label: string): Promise<Stream | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from signal_streams where label = ${label}`));

export const streamById = async (tx: Sql, id: string): Promise<Stream | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from signal_streams where id = ${id}`));

/** Held until the commit: its signals are written one after the other. */
export const lockStream = async (tx: Sql, id: string): Promise<Stream | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from signal_streams where id = ${id} for update`));

export const currentStream = async (tx: Sql): Promise<Stream | undefined> =>
  maybe(await tx.maybe<Row>(sql`select * from signal_streams where ended_at is null`));

export type NewStream = Pick<Stream, "id" | "label" | "audience" | "pollPath">;

/** Makes it the current one. True when another was, or none. */
export async function keepStream(tx: Sql, of: NewStream, now: Instant): Promise<boolean> {
  await tx.run(
    sql`update signal_streams set ended_at = ${sqlTime(now)} where ended_at is null and id <> ${of.id}`,
  );
  const written = await tx.run(sql`
    insert into signal_streams as s (id, label, audience, poll_path, made_at)
    values (${of.id}, ${of.label}, ${of.audience}, ${of.pollPath}, ${sqlTime(now)})
    on conflict (id) do update set audience = excluded.audience, poll_path = excluded.poll_path, ended_at = null
      where (s.audience, s.poll_path, s.ended_at) is distinct from (excluded.audience, excluded.poll_path, null::timestamptz)`);
  return written.count === 1;
}

/** What stands of a signal, by its place or by its name. */
export const heardAs = async (
  tx: Sql,
  of: { readonly stream: string; readonly seq: number; readonly jti: string },
): Promise<readonly { readonly seq: bigint; readonly jti: string }[]> =>
  tx.many<{ seq: bigint; jti: string }>(sql`
    select seq, jti from signals where stream_id = ${of.stream} and (seq = ${of.seq} or jti = ${of.jti})`);

/** What billing did about a signal: had jobs look, knew it to be over, found nothing of its own, or is not to look at such things. */
export type Outcome = "hinted" | "known" | "unknown" | "passed";

export type Heard = {
  readonly stream: string;
  readonly seq: number;
  readonly jti: string;
  readonly txn: string;
  readonly type: string;
  readonly outcome: Outcome;
  readonly about: string | null;
  readonly now: Instant;
};

/** Writes it down and says where its stream stands then: how far it is whole, and since when it is not. */
export async function writeSignal(tx: Sql, of: Heard): Promise<Stream> {
  await tx.run(sql`
    insert into signals (stream_id, seq, jti, txn, type, outcome, about, heard_at)
    values (${of.stream}, ${of.seq}, ${of.jti}, ${of.txn}, ${of.type}, ${of.outcome}, ${of.about}, ${sqlTime(of.now)})`);
  // Where the next place is filled, the stream is whole up to the last of those that follow without a gap.
  return streamOf(
    await tx.one<Row>(sql`
      with stands as (
        select s.id, greatest(s.furthest, ${of.seq}) as furthest,
          case when s.whole + 1 <> ${of.seq} then s.whole else (
            select min(x.seq) from signals x where x.stream_id = s.id and x.seq > s.whole
              and not exists (select from signals n where n.stream_id = s.id and n.seq = x.seq + 1)) end as whole
        from signal_streams s where s.id = ${of.stream})
      update signal_streams s set furthest = stands.furthest, whole = stands.whole,
        gap_since = case when stands.furthest = stands.whole then null
          when stands.whole = s.whole then coalesce(s.gap_since, ${sqlTime(of.now)}) else ${sqlTime(of.now)} end
      from stands where s.id = stands.id returning s.*`),
  );
}

/** Lets a gap go: the stream counts as whole up to the next one. */
export const passGap = async (tx: Sql, { id }: Pick<Stream, "id">, now: Instant): Promise<void> => {
  await tx.run(sql`
    with stands as (
      select min(x.seq) as whole from signals x join signal_streams s on s.id = x.stream_id
      where s.id = ${id} and x.seq > s.whole
        and not exists (select from signals n where n.stream_id = x.stream_id and n.seq = x.seq + 1))
    update signal_streams s set whole = stands.whole,
      gap_since = case when stands.whole < s.furthest then ${sqlTime(now)}::timestamptz end
    from stands where s.id = ${id} and s.whole < s.furthest`);
};

/** How many places of a stream are empty before the furthest. */
export const missingOf = async (tx: Sql, { id }: Pick<Stream, "id">): Promise<number> =>
  Number(
    (
      await tx.one<{ missing: bigint }>(sql`
        select s.furthest - s.whole - (select count(*) from signals x where x.stream_id = s.id and x.seq > s.whole) as missing
        from signal_streams s where s.id = ${id}`)
    ).missing,
  );

const batchMax = 5_000;

/** Forgets signals that were heard before, at most 5,000 a call: what is beyond a gap stays until that is closed. Returns how many. */
export const forgetSignals = async (tx: Sql, before: Instant): Promise<number> =>
  (
    await tx.run(sql`
      delete from signals where (stream_id, seq) in (
        select x.stream_id, x.seq from signals x join signal_streams s on s.id = x.stream_id
        where x.heard_at < ${sqlTime(before)} and (x.seq <= s.whole or s.ended_at is not null)
        order by x.heard_at limit ${batchMax})`)
  ).count;
