import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type IdentityRow = {
  readonly id: Id<"identity">;
  readonly provider: Id<"provider">;
  readonly subjectDigest: Uint8Array;
  readonly account: Id<"account">;
  readonly sealed: Uint8Array;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | undefined;
};

type Row = {
  readonly id: Id<"identity">;
  readonly provider_id: Id<"provider">;
  readonly subject_digest: Uint8Array;
  readonly account_id: Id<"account">;
  readonly sealed: Uint8Array;
  readonly created_at: Instant;
  readonly last_used_at: Instant | null;
};

const identityOf = (row: Row): IdentityRow => ({
  id: row.id,
  provider: row.provider_id,
  subjectDigest: row.subject_digest,
  account: row.account_id,
  sealed: row.sealed,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at ?? undefined,
});

/** False when the subject is somebody's already, or the account has another one at this provider. */
export async function insertIdentity(tx: Sql, row: Omit<IdentityRow, "lastUsedAt">): Promise<boolean> {
  const { count } = await tx.run(sql`insert into identities
      (id, provider_id, subject_digest, account_id, sealed, created_at, last_used_at)
    values (${row.id}, ${row.provider}, ${row.subjectDigest}, ${row.account}, ${row.sealed},
      ${sqlTime(row.createdAt)}, ${sqlTime(row.createdAt)})
    on conflict do nothing`);
  return count === 1;
}

export async function findIdentity(
  tx: Sql,
  { provider, subjectDigest }: Pick<IdentityRow, "provider" | "subjectDigest">,
): Promise<IdentityRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from identities
    where provider_id = ${provider} and subject_digest = ${subjectDigest}`);
  return row && identityOf(row);
}

export async function identitiesOfAccount(tx: Sql, account: Id<"account">): Promise<IdentityRow[]> {
  const found = await tx.many<Row>(
    sql`select * from identities where account_id = ${account} order by created_at, id`,
  );
  return found.map(identityOf);
}

/** Whether the account has one, apart from one, at an active provider whose people it is of. */
export async function hasUsable(
  tx: Sql,
  account: Id<"account">,
  apartFrom?: Id<"identity">,
): Promise<boolean> {
  const row = await tx.one<{ usable: boolean }>(
    sql`select has_usable_identity(${account}, ${apartFrom ?? null}) as usable`,
  );
  return row.usable;
}

export async function touchIdentity(tx: Sql, id: Id<"identity">, now: Instant): Promise<void> {
  await tx.run(sql`update identities set last_used_at = ${sqlTime(now)} where id = ${id}`);
}

/** Takes away one of the account, or all; that it was taken away is kept (`wasUnlinked`). */
export async function unlinkIdentities(
  tx: Sql,
  { id, account, now }: { id?: Id<"identity">; account: Id<"account">; now: Instant },
): Promise<IdentityRow[]> {
  const found = await tx.many<Row>(sql`with gone as (
      delete from identities where account_id = ${account} and (${id ?? null}::text is null or id = ${id ?? null})
      returning *),
    kept as (
      insert into unlinked_identities (provider_id, account_id, unlinked_at)
      select provider_id, account_id, ${sqlTime(now)}::timestamptz from gone on conflict do nothing)
    select * from gone`);
  return found.map(identityOf);
}

type At = Pick<IdentityRow, "provider" | "account">;

/** Whether the account had a subject at the provider and its person took it away. */
export async function wasUnlinked(tx: Sql, { provider, account }: At): Promise<boolean> {
  const row = await tx.one<{ unlinked: boolean }>(sql`select exists (select from unlinked_identities
    where provider_id = ${provider} and account_id = ${account}) as unlinked`);
  return row.unlinked;
}

export async function forgetUnlinked(tx: Sql, { provider, account }: At): Promise<void> {
  await tx.run(
    sql`delete from unlinked_identities where provider_id = ${provider} and account_id = ${account}`,
  );
}

export async function deleteIdentitiesAt(tx: Sql, provider: Id<"provider">): Promise<void> {
  await tx.run(sql`delete from identities where provider_id = ${provider}`);
  await tx.run(sql`delete from unlinked_identities where provider_id = ${provider}`);
}
