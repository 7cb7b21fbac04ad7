import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { Grant } from "./grants.ts";
import type { GivenGrant } from "./sessions-grants.ts";

type Row = {
  readonly grant_digest: string;
  readonly client_id: string;
  readonly account_id: Id<"account">;
  readonly tenant_id: Id<"tenant">;
  readonly mandate_id: Id<"mandate"> | null;
  readonly session_sid: string | null;
  readonly outlives_session: boolean;
  readonly scopes: readonly string[];
  readonly created_at: Instant;
  readonly revoked_at: Instant | null;
};

export async function insertGrant(tx: TenantTx, grant: Omit<Grant, "revoked">, now: Instant): Promise<void> {
  const { sid, outlives = true } = grant.session ?? {};
  await tx.run(sql`insert into oauth_grants (grant_digest, client_id, account_id, tenant_id, mandate_id, session_sid,
      outlives_session, scopes, created_at)
    values (${grant.digest}, ${grant.client}, ${grant.account}, ${grant.tenant}, ${grant.mandate ?? null},
      ${sid ?? null}, ${outlives}, ${grant.scopes}, ${sqlTime(now)})`);
}

export async function findGrant(tx: Sql, digest: string): Promise<Grant | undefined> {
  const row =
    await tx.maybe<Row>(sql`select grant_digest, client_id, account_id, tenant_id, mandate_id, session_sid,
      outlives_session, scopes, created_at, revoked_at
    from oauth_grants where grant_digest = ${digest}`);
  if (row === undefined) return undefined;
  return {
    digest: row.grant_digest,
    client: row.client_id,
    account: row.account_id,
    tenant: row.tenant_id,
    mandate: row.mandate_id ?? undefined,
    session: row.session_sid === null ? undefined : { sid: row.session_sid, outlives: row.outlives_session },
    scopes: row.scopes,
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

/** Marks all grants to a client as revoked, whoever gave them; those that were not, each with its principal's tenant. */
export async function revokeGrantsOfClient(
  tx: Sql,
  client: string,
  now: Instant,
): Promise<{ readonly digest: string; readonly tenant: Id<"tenant"> }[]> {
  const revoked = await tx.many<
    Pick<Row, "grant_digest" | "tenant_id">
  >(sql`update oauth_grants set revoked_at = ${sqlTime(now)}
    where client_id = ${client} and revoked_at is null returning grant_digest, tenant_id`);
  return revoked.map((row) => ({ digest: row.grant_digest, tenant: row.tenant_id }));
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

/** Marks as revoked what ends with the session; the digests of those that were not. */
export async function revokeGrantsOfSession(tx: TenantTx, sid: string, now: Instant): Promise<string[]> {
  const revoked = await tx.many<
    Pick<Row, "grant_digest">
  >(sql`update oauth_grants set revoked_at = ${sqlTime(now)}
    where session_sid = ${sid} and not outlives_session and revoked_at is null returning grant_digest`);
  return revoked.map((row) => row.grant_digest);
}

/** What outlives its session and is no mandate's. */
export async function lastingGrantsOf(tx: TenantTx, account: Id<"account">): Promise<string[]> {
  const found = await tx.many<Pick<Row, "grant_digest">>(sql`select grant_digest from oauth_grants
    where account_id = ${account} and tenant_id = ${tx.tenant} and outlives_session and mandate_id is null
      and revoked_at is null order by grant_digest`);
  return found.map((row) => row.grant_digest);
}

export async function clientsOfSession(tx: TenantTx, sid: string): Promise<string[]> {
  const found = await tx.many<Pick<Row, "client_id">>(sql`select distinct client_id from oauth_grants
    where session_sid = ${sid} order by client_id`);
  return found.map((row) => row.client_id);
}

export async function findSessionOfArtifact(
  tx: Sql,
  model: string,
  idDigest: string,
): Promise<string | undefined> {
  const row = await tx.maybe<Pick<Row, "session_sid">>(sql`select g.session_sid
    from oauth_artifacts a join oauth_grants g on g.grant_digest = a.grant_digest
    where a.model = ${model} and a.id_digest = ${idDigest} and not g.outlives_session`);
  return row?.session_sid ?? undefined;
}

export async function listGrantsOfAccount(
  tx: TenantTx,
  account: Id<"account">,
  limit: number,
): Promise<GivenGrant[]> {
  const found =
    await tx.many<Row>(sql`select grant_digest, client_id, account_id, tenant_id, mandate_id, session_sid,
      outlives_session, scopes, created_at, revoked_at
    from oauth_grants where account_id = ${account} and tenant_id = ${tx.tenant} and revoked_at is null
    order by created_at desc, grant_digest limit ${limit}`);
  return found.map((row) => ({
    digest: row.grant_digest,
    client: row.client_id,
    mandate: row.mandate_id ?? undefined,
    scopes: row.scopes,
    outlivesSession: row.outlives_session,
    since: row.created_at,
  }));
}
