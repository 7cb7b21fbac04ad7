import type { Id, Instant } from "@remit/kernel";
import { type RelayTx, type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { MemberRole } from "@remit/protocol/contracts";
import type { TenantKind } from "../tenants/index.ts";
import type { OrganizationStatus } from "./organizations.ts";

export type Member = { readonly account: Id<"account">; readonly role: MemberRole; readonly since: Instant };

export type Invitation = {
  readonly id: Id<"invitation">;
  readonly digest: string;
  readonly emailDigest: string;
  readonly sealedEmail: Uint8Array;
  readonly role: MemberRole;
  readonly expiresAt: Instant;
};

export async function listMembers(tx: TenantTx, limit: number): Promise<Member[]> {
  return tx.many<Member>(sql`select account_id as account, role, created_at as since from memberships
    order by created_at, account_id limit ${limit}`);
}

export async function findRole(tx: TenantTx, account: Id<"account">): Promise<MemberRole | undefined> {
  const row = await tx.maybe<{ role: MemberRole }>(
    sql`select role from memberships where account_id = ${account}`,
  );
  return row?.role;
}

/** What a person is in the tenant of the transaction. */
export type MembershipHere = {
  readonly role: MemberRole;
  readonly since: Instant;
  readonly name: string;
  readonly kind: TenantKind;
  readonly slug: string | null;
  readonly status: OrganizationStatus;
};

/** `lock: "share"` keeps it as read until the transaction ends. */
export async function findMembership(
  tx: TenantTx,
  account: Id<"account">,
  lock: "none" | "share" = "none",
): Promise<MembershipHere | undefined> {
  if (lock === "share") await tx.run(sql`select from memberships where account_id = ${account} for share`);
  return tx.maybe<MembershipHere>(sql`select m.role, m.created_at as since, t.name, t.kind, s.slug, s.status
    from memberships m join tenants t using (tenant_id) join tenant_standings s using (tenant_id)
    where m.account_id = ${account}`);
}

/** The tenants that a person belongs to, by id. */
export async function tenantsOfMember(
  db: Sql,
  account: Id<"account">,
  limit: number,
): Promise<Id<"tenant">[]> {
  const rows = await db.many<{ tenant: Id<"tenant"> }>(
    sql`select tenant from tenants_of_member(${account}, ${limit}) as tenant`,
  );
  return rows.map(({ tenant }) => tenant);
}

/** The same of many at once, each with at most `limit`. */
export async function tenantsOfMembers(
  db: Sql,
  accounts: readonly Id<"account">[],
  limit: number,
): Promise<ReadonlyMap<Id<"account">, readonly Id<"tenant">[]>> {
  const rows = await db.many<{ account: Id<"account">; tenant: Id<"tenant"> }>(sql`
    select asked.account, tenant from unnest(${[...accounts]}::text[]) as asked (account),
      tenants_of_member(asked.account, ${limit}) as tenant`);
  const all = new Map<Id<"account">, Id<"tenant">[]>();
  for (const { account, tenant } of rows) all.set(account, [...(all.get(account) ?? []), tenant]);
  return all;
}

/** Changes of who belongs to an organization come one after the other, so that each sees the owners of before. */
export async function lockMembers(tx: TenantTx): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`members ${tx.tenant}`}, 0))`);
}

export async function hasOtherOwner(tx: TenantTx, account: Id<"account">): Promise<boolean> {
  const row = await tx.one<{ other: boolean }>(sql`select exists (select from memberships
    where role = 'owner' and account_id <> ${account}) as other`);
  return row.other;
}

/** Of a member, read under the same lock. */
export async function saveRole(tx: TenantTx, account: Id<"account">, role: MemberRole): Promise<Member> {
  return tx.one<Member>(sql`update memberships set role = ${role} where account_id = ${account}
    returning account_id as account, role, created_at as since`);
}

export async function countMembers(tx: TenantTx): Promise<number> {
  const { count } = await tx.one<{ count: bigint }>(sql`select count(*) as count from memberships`);
  return Number(count);
}

export async function deleteMember(tx: TenantTx, account: Id<"account">): Promise<void> {
  await tx.run(sql`delete from memberships where account_id = ${account}`);
}

/** False when the person belongs to it already. */
export async function insertMember(tx: TenantTx, { account, role, since }: Member): Promise<boolean> {
  const { count } = await tx.run(sql`insert into memberships (tenant_id, account_id, role, created_at)
    values (${tx.tenant}, ${account}, ${role}, ${sqlTime(since)}) on conflict do nothing`);
  return count === 1;
}

export async function insertInvitation(
  tx: TenantTx,
  invitation: Invitation & { readonly by: string; readonly now: Instant },
): Promise<void> {
  await tx.run(sql`insert into invitations (tenant_id, id, digest, email_digest, sealed_email, role, created_by,
      created_at, expires_at)
    values (${tx.tenant}, ${invitation.id}, ${invitation.digest}, ${invitation.emailDigest},
      ${invitation.sealedEmail}, ${invitation.role}, ${invitation.by}, ${sqlTime(invitation.now)},
      ${sqlTime(invitation.expiresAt)})`);
}

/** A new invitation to an address takes the place of the one before. */
export async function deleteInvitations(tx: TenantTx, emailDigest: string): Promise<void> {
  await tx.run(sql`delete from invitations where email_digest = ${emailDigest} and accepted_at is null`);
}

/** False when there is none that waits. */
export async function deleteInvitation(tx: TenantTx, id: Id<"invitation">): Promise<boolean> {
  const { count } = await tx.run(sql`delete from invitations where id = ${id} and accepted_at is null`);
  return count === 1;
}

/** Those that one person sent and nobody has accepted. */
export async function deleteInvitationsBy(tx: TenantTx, account: Id<"account">): Promise<Id<"invitation">[]> {
  const deleted = await tx.many<{ id: Id<"invitation"> }>(
    sql`delete from invitations where created_by = ${account} and accepted_at is null returning id`,
  );
  return deleted.map(({ id }) => id);
}

export async function countInvitations(tx: TenantTx, now: Instant): Promise<number> {
  const { count } = await tx.one<{ count: bigint }>(sql`select count(*) as count from invitations
    where accepted_at is null and expires_at > ${sqlTime(now)}`);
  return Number(count);
}

export async function listInvitations(tx: TenantTx, now: Instant): Promise<Invitation[]> {
  return tx.many<Invitation>(sql`select id, digest, email_digest as "emailDigest", sealed_email as "sealedEmail", role,
      expires_at as "expiresAt"
    from invitations where accepted_at is null and expires_at > ${sqlTime(now)} order by id`);
}

/** Uses an invitation up, if it is for this address: one conditional UPDATE, so that it is used once. */
export async function useInvitation(
  tx: TenantTx,
  { digest, emailDigest, now }: { digest: string; emailDigest: string; now: Instant },
): Promise<{ readonly id: Id<"invitation">; readonly role: MemberRole } | undefined> {
  return tx.maybe(sql`update invitations set accepted_at = ${sqlTime(now)}
    where digest = ${digest} and email_digest = ${emailDigest} and accepted_at is null and expires_at > ${sqlTime(now)}
    returning id, role`);
}

/** What an invitation asks this address to join as, while it may be used. */
export async function findInvitation(
  tx: TenantTx,
  { digest, emailDigest, now }: { digest: string; emailDigest: string; now: Instant },
): Promise<{ readonly organization: string; readonly role: MemberRole } | undefined> {
  return tx.maybe(sql`select t.name as organization, i.role from invitations i join tenants t using (tenant_id)
    where i.digest = ${digest} and i.email_digest = ${emailDigest} and i.accepted_at is null
      and i.expires_at > ${sqlTime(now)}`);
}

export async function tenantOfInvitation(tx: Sql, digest: string): Promise<Id<"tenant"> | undefined> {
  const row = await tx.one<{ tenant: Id<"tenant"> | null }>(
    sql`select tenant_of_invitation(${digest}) as tenant`,
  );
  return row.tenant ?? undefined;
}

/** Forgets invitations that were accepted or have ended; returns how many. */
export async function sweepInvitations(tx: RelayTx, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from invitations where (tenant_id, id) in (
    select tenant_id, id from invitations where accepted_at is not null or expires_at < now() limit ${limit})`);
  return count;
}
