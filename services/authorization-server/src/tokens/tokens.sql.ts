import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** Keeps what the keys say until the transaction ends: a revocation of one waits. Ask what they say afterwards. */
export async function keepKeys(tx: Sql, keys: readonly string[]): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock_shared(hashtextextended('token ' || key, 0))
    from unnest(${keys}::text[]) as key`);
}

/**
 * `issuedUntil` spares what is issued later; two revocations of a key together spare no more than either. The moment is at
 * least the database's, once the lock is held, and rounded up to the next second: a process whose clock is behind, or a
 * token that is being issued while this commits, is not spared.
 */
export async function insertRevocation(
  tx: Sql,
  { key, until, issuedUntil }: { key: string; until: Instant; issuedUntil?: Instant | undefined },
): Promise<void> {
  const issued = issuedUntil === undefined ? null : sqlTime(issuedUntil);
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`token ${key}`}, 0))`);
  await tx.run(sql`insert into token_revocations (key, until, issued_until)
    values (${key}, ${sqlTime(until)}, case when ${issued}::timestamptz is not null then to_timestamp(ceil(extract(
      epoch from greatest(${issued}::timestamptz, clock_timestamp())))) end)
    on conflict (key) do update set until = greatest(token_revocations.until, excluded.until),
      issued_until = case when token_revocations.issued_until is null or excluded.issued_until is null then null
        else greatest(token_revocations.issued_until, excluded.issued_until) end`);
}

export async function deleteRevocation(tx: Sql, key: string): Promise<void> {
  await tx.run(sql`delete from token_revocations where key = ${key}`);
}

/** `issuedAt`: of the token, in whole seconds; one of the same second as a revocation falls under it. */
export async function isAnyRevoked(tx: Sql, keys: readonly string[], issuedAt: Instant): Promise<boolean> {
  const row = await tx.one<{ revoked: boolean }>(
    sql`select exists (select 1 from token_revocations where key = any(${keys})
      and (issued_until is null or issued_until >= ${sqlTime(issuedAt)})) as revoked`,
  );
  return row.revoked;
}

export type Revocation = { readonly key: string; readonly issuedUntil: Instant | null };

/** What stands against any of the keys. */
export async function findRevocations(db: Sql, keys: readonly string[]): Promise<Map<string, Revocation>> {
  const found = await db.many<Revocation>(
    sql`select key, issued_until as "issuedUntil" from token_revocations where key = any(${keys})`,
  );
  return new Map(found.map((each) => [each.key, each]));
}

/** Removes what outlived every token it could refuse; returns how many. */
export async function deleteExpired(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from token_revocations where key in
    (select key from token_revocations where until < ${sqlTime(now)} limit ${limit})`);
  return count;
}
