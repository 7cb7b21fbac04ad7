import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Grant } from "./grants.ts";

type Row = {
  readonly grant_digest: string;
  readonly client_id: string;
  readonly account_id: Id<"account">;
  readonly tenant_id: Id<"tenant">;
  readonly mandate_id: Id<"mandate"> | null;
  readonly revoked_at: Instant | null;
};

export async function insertGrant(tx: TenantTx, grant: Omit<Grant, "revoked">, now: Instant): Promise<void> {
  await tx.run(sql`insert into oauth_grants (grant_digest, client_id, account_id, tenant_id, mandate_id, created_at)
    values (${grant.digest}, ${grant.client}, ${grant.account}, ${grant.tenant}, ${grant.mandate ?? null},
      ${sqlTime(now)})`);
}

export async function findGrant(tx: Sql, digest: string): Promise<Grant | undefined> {
  const row =
    await tx.maybe<Row>(sql`select grant_digest, client_id, account_id, tenant_id, mandate_id, revoked_at
    from oauth_grants where grant_digest = ${digest}`);
  if (row === undefined) return undefined;
  return {
    digest: row.grant_digest,
    client: row.client_id,
    account: row.account_id,
    tenant: row.tenant_id,
    mandate: row.mandate_id ?? undefined,
    revoked: row.revoked_at !== null,
  };
}

/** False when it was revoked before. */
export async function markRevoked(
  tx: TenantTx,
  { digest, now }: { digest: string; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`update oauth_grants set revoked_at = ${sqlTime(now)}
    where grant_digest = ${digest} and revoked_at is null`);
  return count === 1;
}

/** Marks the grants that gave a mandate as revoked; the digests of those that were not. */
export async function revokeGrantsOf(tx: TenantTx, mandate: Id<"mandate">, now: Instant): Promise<string[]> {
  const revoked = await tx.many<
    Pick<Row, "grant_digest">
  >(sql`update oauth_grants set revoked_at = ${sqlTime(now)}
    where mandate_id = ${mandate} and revoked_at is null returning grant_digest`);
  return revoked.map((row) => row.grant_digest);
}

/** Whether a grant of this person to this client, made since, still stands. */
export async function hasGrant(
  tx: Sql,
  { account, client, since }: { account: Id<"account">; client: string; since: Instant },
): Promise<boolean> {
  const row = await tx.one<{ found: boolean }>(sql`select exists (select 1 from oauth_grants
    where client_id = ${client} and account_id = ${account} and revoked_at is null
      and created_at > ${sqlTime(since)}) as found`);
  return row.found;
}
