import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type ViewKey = { readonly account: string; readonly list: string; readonly digest: string };
export type ViewRow = ViewKey & { readonly sealed: Uint8Array };

/** Another filter under a name that there is takes its place. False when the list has as many as it may have. */
export async function saveView(
  tx: Sql,
  { account, list, digest, sealed }: ViewRow,
  { most, now }: { readonly most: number; readonly now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`
    insert into saved_views (account, list, name_digest, sealed, saved_at)
    select ${account}, ${list}, ${digest}, ${sealed}, ${sqlTime(now)}
    where (select count(*) from saved_views
      where account = ${account} and list = ${list} and name_digest <> ${digest}) < ${most}::integer
    on conflict (account, list, name_digest) do update set sealed = excluded.sealed`);
  return count === 1;
}

export const readViews = (db: Sql, account: string, list: string): Promise<ViewRow[]> =>
  db.many<ViewRow>(sql`select account, list, name_digest as digest, sealed from saved_views
    where account = ${account} and list = ${list} order by saved_at, name_digest`);

/** All of a person's. */
export const readAllViews = (db: Sql, account: string): Promise<ViewRow[]> =>
  db.many<ViewRow>(sql`select account, list, name_digest as digest, sealed from saved_views
    where account = ${account} order by list, saved_at, name_digest`);

export async function deleteView(db: Sql, { account, list, digest }: ViewKey): Promise<void> {
  await db.run(
    sql`delete from saved_views where account = ${account} and list = ${list} and name_digest = ${digest}`,
  );
}

export async function forgetViews(db: Sql, account: string): Promise<void> {
  await db.run(sql`delete from saved_views where account = ${account}`);
}
