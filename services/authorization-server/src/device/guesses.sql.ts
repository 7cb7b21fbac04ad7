import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

/** Counts one try, in a new window when the last has ended; the count includes this one. */
export async function countTry(
  tx: Sql,
  { key, now, ends }: { key: string; now: Instant; ends: Instant },
): Promise<{ tried: number; windowEnds: Instant }> {
  const row = await tx.one<{ tried: number; window_ends: Instant }>(
    sql`insert into user_code_guesses as g (key, tried, window_ends) values (${key}, 1, ${sqlTime(ends)})
      on conflict (key) do update set
        tried = case when g.window_ends <= ${sqlTime(now)} then 1 else g.tried + 1 end,
        window_ends = case when g.window_ends <= ${sqlTime(now)} then excluded.window_ends else g.window_ends end
      returning tried, window_ends`,
  );
  return { tried: row.tried, windowEnds: row.window_ends };
}

/** A code that was there was no guess. */
export async function uncountTry(tx: Sql, key: string): Promise<void> {
  await tx.run(sql`update user_code_guesses set tried = greatest(tried - 1, 0) where key = ${key}`);
}

export async function deleteEnded(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from user_code_guesses where key in
    (select key from user_code_guesses where window_ends < ${sqlTime(now)} limit ${limit})`);
  return count;
}
