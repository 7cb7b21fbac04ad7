import { type Sql, sql } from "../sql/index.ts";

/** Which key-encryption key wraps, which one is being rotated away, and the root secret under one of them. */
export type KekState = {
  readonly first: string;
  readonly current: string;
  readonly former: string | null;
  /** A former one that has not been disabled where it is kept. */
  readonly unsettled: string | null;
  readonly root_wrapped: Uint8Array;
  readonly root_kek: string;
};

export const readKekState = (db: Sql): Promise<KekState | undefined> =>
  db.maybe<KekState>(
    sql`select first, current, former, unsettled, root_wrapped, root_kek from key_encryption`,
  );

/** The key that wraps. It stays so until the transaction ends: a rotation waits. */
export async function keepCurrentKek(tx: Sql): Promise<string | undefined> {
  const row = await tx.maybe<{ current: string }>(sql`select current from key_encryption for share`);
  return row?.current;
}

/** Of several first starts at once, the first to commit wins; read after it. */
export const insertKekState = (tx: Sql, state: { id: string; root: Uint8Array }) =>
  tx.run(sql`
    insert into key_encryption (first, current, root_wrapped, root_kek)
    values (${state.id}, ${state.id}, ${state.root}, ${state.id}) on conflict do nothing`);

/** False when another rotation has begun, or ended, since `current` was read. */
export async function beginKekRotation(tx: Sql, { current, next }: { current: string; next: string }) {
  const { count } = await tx.run(sql`
    update key_encryption set former = current, current = ${next}, changed_at = now()
    where current = ${current} and former is null and unsettled is null`);
  return count === 1;
}

/** Ends a rotation if nothing is under the former key any more. */
export async function endKekRotation(tx: Sql, { current, former }: { current: string; former: string }) {
  const { count } = await tx.run(sql`
    update key_encryption set former = null, unsettled = former, changed_at = now()
    where current = ${current} and former = ${former} and root_kek = ${current}
      and not exists (select from data_keys where wrapped is not null and kek is distinct from ${current})
      and not exists (select from signing_keys where wrapped is not null and kek is distinct from ${current})`);
  return count === 1;
}

export const forgetSettledKek = (tx: Sql, id: string) =>
  tx.run(sql`update key_encryption set unsettled = null where unsettled = ${id}`);

/** A row that is wrapped; `name` is a data key's scope, or a signing key's kid with its purpose. */
export type WrappedRow = {
  readonly kind: "data" | "signing";
  readonly name: string;
  readonly purpose: string | null;
  readonly wrapped: Uint8Array;
  readonly kek: string | null;
};

/** Rows that are under another key than the current one, in the order of their names, after one of them. */
export const rowsUnderOthers = (
  db: Sql,
  page: { kind: "data" | "signing"; current: string; after: string; limit: number },
): Promise<WrappedRow[]> =>
  page.kind === "data"
    ? db.many<WrappedRow>(sql`
        select 'data' as kind, scope as name, null as purpose, wrapped, kek from data_keys
        where wrapped is not null and kek is distinct from ${page.current} and scope > ${page.after}
        order by scope limit ${page.limit}`)
    : db.many<WrappedRow>(sql`
        select 'signing' as kind, kid as name, purpose, wrapped, kek from signing_keys
        where wrapped is not null and kek is distinct from ${page.current} and kid > ${page.after}
        order by kid limit ${page.limit}`);

/** Replaces a wrapped key by the same under another; not where it was shredded or rewrapped meanwhile. */
export const rewrap = (tx: Sql, row: WrappedRow, to: { wrapped: Uint8Array; kek: string }) =>
  row.kind === "data"
    ? tx.run(sql`update data_keys set wrapped = ${to.wrapped}, kek = ${to.kek}
        where scope = ${row.name} and wrapped = ${row.wrapped}`)
    : tx.run(sql`update signing_keys set wrapped = ${to.wrapped}, kek = ${to.kek}
        where kid = ${row.name} and wrapped = ${row.wrapped}`);

export const rewrapRoot = (tx: Sql, state: KekState, to: { wrapped: Uint8Array; kek: string }) =>
  tx.run(sql`update key_encryption set root_wrapped = ${to.wrapped}, root_kek = ${to.kek}
    where root_wrapped = ${state.root_wrapped}`);

/** How many rows are still under another key than this one. */
export async function countUnderOthers(db: Sql, current: string): Promise<number> {
  const { count } = await db.one<{ count: bigint }>(sql`
    select (select count(*) from data_keys where wrapped is not null and kek is distinct from ${current})
      + (select count(*) from signing_keys where wrapped is not null and kek is distinct from ${current})
      + (select count(*) from key_encryption where root_kek <> ${current}) as count`);
  return Number(count);
}

/** One wrapped row of before there was a root secret, if there is any. */
export const rowOfBefore = (db: Sql): Promise<WrappedRow | undefined> =>
  db.maybe<WrappedRow>(sql`
    select * from (
      select 'data' as kind, scope as name, null as purpose, wrapped, kek from data_keys where wrapped is not null and kek is null
      union all
      select 'signing', kid, purpose, wrapped, kek from signing_keys where wrapped is not null
    ) as wrapped_rows limit 1`);
