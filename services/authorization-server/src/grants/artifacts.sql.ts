import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type ArtifactRow = {
  readonly model: string;
  readonly idDigest: string;
  readonly scope: string;
  readonly sealed: Uint8Array;
  readonly consumedAt: Instant | undefined;
};

type Row = {
  readonly model: string;
  readonly id_digest: string;
  readonly scope: string;
  readonly sealed: Uint8Array;
  readonly consumed_at: Instant | null;
};

const artifactOf = (row: Row | undefined): ArtifactRow | undefined =>
  row && {
    model: row.model,
    idDigest: row.id_digest,
    scope: row.scope,
    sealed: row.sealed,
    consumedAt: row.consumed_at ?? undefined,
  };

export async function upsertArtifact(
  tx: Sql,
  row: Omit<ArtifactRow, "consumedAt"> & {
    expiresAt: Instant;
    grantDigest: string | undefined;
    uidDigest: string | undefined;
  },
): Promise<void> {
  await tx.run(sql`insert into oauth_artifacts
      (model, id_digest, scope, sealed, grant_digest, uid_digest, expires_at)
    values (${row.model}, ${row.idDigest}, ${row.scope}, ${row.sealed}, ${row.grantDigest ?? null},
      ${row.uidDigest ?? null}, ${sqlTime(row.expiresAt)})
    on conflict (model, id_digest) do update set scope = excluded.scope, sealed = excluded.sealed,
      grant_digest = excluded.grant_digest, uid_digest = excluded.uid_digest, expires_at = excluded.expires_at`);
}

export const findArtifact = async (
  tx: Sql,
  model: string,
  idDigest: string,
): Promise<ArtifactRow | undefined> =>
  artifactOf(
    await tx.maybe<Row>(sql`select model, id_digest, scope, sealed, consumed_at from oauth_artifacts
      where model = ${model} and id_digest = ${idDigest}`),
  );

export const findArtifactByUid = async (
  tx: Sql,
  model: string,
  uidDigest: string,
): Promise<ArtifactRow | undefined> =>
  artifactOf(
    await tx.maybe<Row>(sql`select model, id_digest, scope, sealed, consumed_at from oauth_artifacts
      where model = ${model} and uid_digest = ${uidDigest}`),
  );

/** Which use of an artefact: its moment, to the microsecond. */
export type UsedAt = string;

/** The moment of use, for exactly one caller. By the database's clock: that of one process may jump (K08). */
export async function consumeArtifact(
  tx: Sql,
  row: { model: string; idDigest: string; keepUntil: Instant },
): Promise<UsedAt | undefined> {
  const used = await tx.maybe<{ used_at: UsedAt }>(sql`update oauth_artifacts
    set consumed_at = clock_timestamp(), expires_at = greatest(expires_at, ${sqlTime(row.keepUntil)})
    where model = ${row.model} and id_digest = ${row.idDigest} and consumed_at is null
    returning extract(epoch from consumed_at)::text as used_at`);
  return used?.used_at;
}

/** The same for what was used at least `afterMs` ago and not answered. */
export async function takeOverArtifact(
  tx: Sql,
  row: { model: string; idDigest: string; afterMs: number },
): Promise<UsedAt | undefined> {
  const used = await tx.maybe<{
    used_at: UsedAt;
  }>(sql`update oauth_artifacts set consumed_at = clock_timestamp()
    where model = ${row.model} and id_digest = ${row.idDigest} and answered_at is null
      and consumed_at < clock_timestamp() - ${row.afterMs}::integer * interval '1 ms'
    returning extract(epoch from consumed_at)::text as used_at`);
  return used?.used_at;
}

export async function findUse(
  tx: Sql,
  model: string,
  idDigest: string,
): Promise<
  { usedMsAgo: number | undefined; grantDigest: string | undefined; answered: boolean } | undefined
> {
  const row = await tx.maybe<{ used_ms_ago: number | null; grant_digest: string | null; answered: boolean }>(
    sql`select (extract(epoch from clock_timestamp() - consumed_at) * 1000)::float8 as used_ms_ago, grant_digest,
        answered_at is not null as answered
      from oauth_artifacts where model = ${model} and id_digest = ${idDigest}`,
  );
  return (
    row && {
      usedMsAgo: row.used_ms_ago ?? undefined,
      grantDigest: row.grant_digest ?? undefined,
      answered: row.answered,
    }
  );
}

/** False when another use has taken its place. */
export async function markAnswered(
  tx: Sql,
  row: { model: string; idDigest: string; usedAt: UsedAt },
): Promise<boolean> {
  const { count } = await tx.run(sql`update oauth_artifacts set answered_at = clock_timestamp()
    where model = ${row.model} and id_digest = ${row.idDigest} and answered_at is null
      and extract(epoch from consumed_at) = ${row.usedAt}::numeric`);
  return count === 1;
}

/**
 * Writes down that a client polled for this, and tells whether it came too early. Each time it does, it has to wait 5 s
 * longer from then on (RFC 8628 §3.5), up to `intervalSMax`.
 */
export async function markPoll(
  tx: Sql,
  poll: { model: string; idDigest: string; now: Instant; leewayMs: number; intervalSMax: number },
): Promise<{ early: boolean; intervalS: number } | undefined> {
  const now = sqlTime(poll.now);
  const row = await tx.maybe<{
    polled_early: boolean;
    poll_interval_s: number;
  }>(sql`update oauth_artifacts set
      polled_early = coalesce(polled_at + poll_interval_s * interval '1 s'
        > ${now}::timestamptz + ${poll.leewayMs}::integer * interval '1 ms', false),
      poll_interval_s = case when polled_at + poll_interval_s * interval '1 s'
          > ${now}::timestamptz + ${poll.leewayMs}::integer * interval '1 ms'
        then least(poll_interval_s + 5, ${poll.intervalSMax}::integer) else poll_interval_s end,
      polled_at = ${now}
    where model = ${poll.model} and id_digest = ${poll.idDigest}
    returning polled_early, poll_interval_s`);
  return row && { early: row.polled_early, intervalS: row.poll_interval_s };
}

export async function deleteArtifact(tx: Sql, model: string, idDigest: string): Promise<void> {
  await tx.run(sql`delete from oauth_artifacts where model = ${model} and id_digest = ${idDigest}`);
}

/** All of a model that have this uid, but for the one to keep. */
export async function deleteArtifactsOfUid(
  tx: Sql,
  { model, uidDigest, keptIdDigest = "" }: { model: string; uidDigest: string; keptIdDigest?: string },
): Promise<void> {
  await tx.run(sql`delete from oauth_artifacts
    where model = ${model} and uid_digest = ${uidDigest} and id_digest <> ${keptIdDigest}`);
}

/** Everything of a family: codes, refresh tokens and the grant itself. */
export async function deleteArtifactsOf(tx: Sql, grantDigest: string): Promise<void> {
  await tx.run(sql`delete from oauth_artifacts where grant_digest = ${grantDigest}`);
}

export async function deleteExpired(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from oauth_artifacts where (model, id_digest) in
    (select model, id_digest from oauth_artifacts where expires_at < ${sqlTime(now)} limit ${limit})`);
  return count;
}
