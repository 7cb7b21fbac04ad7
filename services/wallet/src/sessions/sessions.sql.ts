import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type SessionRow = {
  readonly id: Id<"session">;
  readonly digest: string;
  readonly sid: string;
  readonly sealed: Uint8Array;
  readonly generation: number;
  readonly lastSeenAt: Instant;
};

export type Limits = { readonly seenAfter: Instant; readonly signedInAfter: Instant };

export async function insertSession(
  tx: Sql,
  row: {
    readonly digest: string;
    readonly id: Id<"session">;
    readonly account: string;
    readonly sid: string;
    readonly sealed: Uint8Array;
    readonly now: Instant;
  },
): Promise<void> {
  const now = sqlTime(row.now);
  await tx.run(sql`
    insert into portal_sessions (secret_digest, id, account, sid, sealed, signed_in_at, last_seen_at)
    values (${row.digest}, ${row.id}, ${row.account}, ${row.sid}, ${row.sealed}, ${now}, ${now})`);
}

export const readSession = (
  db: Sql,
  digest: string,
  { seenAfter, signedInAfter }: Limits,
): Promise<SessionRow | undefined> =>
  db.maybe<SessionRow>(sql`
    select id, secret_digest as digest, sid, sealed, generation, last_seen_at as "lastSeenAt"
    from portal_sessions
    where secret_digest = ${digest} and last_seen_at > ${sqlTime(seenAfter)} and signed_in_at > ${sqlTime(signedInAfter)}`);

/** Never back in time: a slow request does not shorten a life. */
export async function sawSession(db: Sql, digest: string, now: Instant): Promise<void> {
  await db.run(
    sql`update portal_sessions set last_seen_at = ${sqlTime(now)} where secret_digest = ${digest} and last_seen_at < ${sqlTime(now)}`,
  );
}

export async function saveTokens(
  db: Sql,
  { digest, generation, sealed }: { digest: string; generation: number; sealed: Uint8Array },
): Promise<boolean> {
  const { count } = await db.run(sql`
    update portal_sessions set sealed = ${sealed}, generation = generation + 1
    where secret_digest = ${digest} and generation = ${generation}`);
  return count === 1;
}

export async function deleteSession(db: Sql, digest: string): Promise<void> {
  await db.run(sql`delete from portal_sessions where secret_digest = ${digest}`);
}

export async function deleteSessionsOf(
  db: Sql,
  of: { readonly sid: string } | { readonly account: string },
): Promise<number> {
  const { count } =
    "sid" in of
      ? await db.run(sql`delete from portal_sessions where sid = ${of.sid}`)
      : await db.run(sql`delete from portal_sessions where account = ${of.account}`);
  return count;
}

export async function sweepSessions(db: Sql, { seenAfter, signedInAfter }: Limits): Promise<void> {
  await db.run(
    sql`delete from portal_sessions where last_seen_at <= ${sqlTime(seenAfter)} or signed_in_at <= ${sqlTime(signedInAfter)}`,
  );
}
