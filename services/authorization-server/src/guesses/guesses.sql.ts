import { after, type Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** Counts one attempt, in a new window when the last has ended; the count includes this one. */
export async function countAttempt(
  tx: Sql,
  { key, now, endsMs }: { key: string; now: Instant; endsMs: number },
): Promise<{ count: number; windowEnds: Instant }> {
  const ends = sqlTime(after(now, endsMs));
  const row = await tx.one<{ failed_count: number; window_ends: Instant }>(
    sql`insert into sign_in_failures as f (key, failed_count, window_ends) values (${key}, 1, ${ends})
      on conflict (key) do update set
        failed_count = case when f.window_ends <= ${sqlTime(now)} then 1 else f.failed_count + 1 end,
        window_ends = case when f.window_ends <= ${sqlTime(now)} then excluded.window_ends else f.window_ends end
      returning failed_count, window_ends`,
  );
  return { count: row.failed_count, windowEnds: row.window_ends };
}

export async function clearAttempts(tx: Sql, key: string): Promise<void> {
  await tx.run(sql`delete from sign_in_failures where key = ${key}`);
}

/** Forgets windows that have ended; returns how many. */
export async function deleteEndedWindows(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from sign_in_failures where key in
    (select key from sign_in_failures where window_ends < ${sqlTime(now)} limit ${limit})`);
  return count;
}
