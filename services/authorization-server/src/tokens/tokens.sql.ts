import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** Keeps what the keys say until the transaction ends: a revocation of one waits. Ask what they say afterwards. */
export async function keepKeys(tx: Sql, keys: readonly string[]): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock_shared(hashtextextended('token ' || key, 0))
    from unnest(${keys}::text[]) as key`);
}

export async function insertRevocation(tx: Sql, key: string, until: Instant): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`token ${key}`}, 0))`);
  await tx.run(sql`insert into token_revocations (key, until) values (${key}, ${sqlTime(until)})
    on conflict (key) do update set until = greatest(token_revocations.until, excluded.until)`);
}

export async function deleteRevocation(tx: Sql, key: string): Promise<void> {
  await tx.run(sql`delete from token_revocations where key = ${key}`);
}

export async function isAnyRevoked(tx: Sql, keys: readonly string[]): Promise<boolean> {
  const row = await tx.one<{ revoked: boolean }>(
    sql`select exists (select 1 from token_revocations where key = any(${keys})) as revoked`,
  );
  return row.revoked;
}

/** Removes what outlived every token it could refuse; returns how many. */
export async function deleteExpired(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from token_revocations where key in
    (select key from token_revocations where until < ${sqlTime(now)} limit ${limit})`);
  return count;
}
