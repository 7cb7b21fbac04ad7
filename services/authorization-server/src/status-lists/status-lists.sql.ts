import { type Sql, sql } from "@remit/platform/sql";

export type List = { readonly id: number; readonly size: number; readonly version: bigint };

/** The list that new mandates go to. */
export const newestList = (tx: Sql): Promise<List> =>
  tx.one<List>(sql`select id, size, version from status_lists order by id desc limit 1`);

export const findList = (tx: Sql, id: number): Promise<List | undefined> =>
  tx.maybe<List>(sql`select id, size, version from status_lists where id = ${id}`);

/** Opens the next list; the second of two that try at the same time changes nothing. */
export async function openList(tx: Sql, list: { id: number; size: number }): Promise<void> {
  await tx.run(
    sql`insert into status_lists (id, size) values (${list.id}, ${list.size}) on conflict do nothing`,
  );
}

/** False when the place is taken. */
export async function takePlace(tx: Sql, list: number, place: number): Promise<boolean> {
  const { count } = await tx.run(sql`insert into status_entries (list_id, place) values (${list}, ${place})
    on conflict do nothing`);
  return count === 1;
}

/** Tells a state and raises the list's version, so that every process builds the list anew. */
export async function tellState(
  tx: Sql,
  entry: { list: number; place: number; state: number },
): Promise<boolean> {
  const { count } = await tx.run(sql`with told as (
      update status_entries set state = ${entry.state}::smallint
      where list_id = ${entry.list} and place = ${entry.place} and state <> ${entry.state}::smallint
      returning list_id)
    update status_lists set version = version + 1 where id in (select list_id from told)`);
  return count === 1;
}

/** The entries that say something: all others are valid. */
export const toldEntries = (tx: Sql, list: number): Promise<{ place: number; state: number }[]> =>
  tx.many<{ place: number; state: number }>(
    sql`select place, state from status_entries where list_id = ${list} and state <> 0`,
  );
