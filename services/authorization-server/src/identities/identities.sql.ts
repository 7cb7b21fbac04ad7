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

export async function touchIdentity(tx: Sql, id: Id<"identity">, now: Instant): Promise<void> {
  await tx.run(sql`update identities set last_used_at = ${sqlTime(now)} where id = ${id}`);
}

export async function deleteIdentity(
  tx: Sql,
  { id, account }: { id: Id<"identity">; account: Id<"account"> },
): Promise<IdentityRow | undefined> {
  const row = await tx.maybe<Row>(
    sql`delete from identities where id = ${id} and account_id = ${account} returning *`,
  );
  return row && identityOf(row);
}

export async function deleteIdentitiesOf(tx: Sql, account: Id<"account">): Promise<IdentityRow[]> {
  const found = await tx.many<Row>(sql`delete from identities where account_id = ${account} returning *`);
  return found.map(identityOf);
}

export async function deleteIdentitiesAt(tx: Sql, provider: Id<"provider">): Promise<void> {
  await tx.run(sql`delete from identities where provider_id = ${provider}`);
}
