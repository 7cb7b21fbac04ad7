import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export type AccountRow = {
  readonly id: Id<"account">;
  readonly home: Id<"tenant">;
  readonly personal: Uint8Array;
  /** Absent for somebody who signs in by passkey alone. */
  readonly passwordDigest: string | undefined;
  readonly disabled: boolean;
  /** Set by a recovery: what was begun before it leads nowhere. */
  readonly signInsFrom: Instant | undefined;
};

type Row = {
  readonly id: Id<"account">;
  readonly home_tenant: Id<"tenant">;
  readonly personal: Uint8Array;
  readonly password_digest: string | null;
  readonly disabled_at: Instant | null;
  readonly sign_ins_from: Instant | null;
};

const accountOf = (row: Row): AccountRow => ({
  id: row.id,
  home: row.home_tenant,
  personal: row.personal,
  passwordDigest: row.password_digest ?? undefined,
  disabled: row.disabled_at !== null,
  signInsFrom: row.sign_ins_from ?? undefined,
});

/** False when the address is known. */
export async function insertAccount(
  tx: TenantTx,
  account: Omit<AccountRow, "disabled" | "signInsFrom"> & { emailDigest: Uint8Array; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into accounts
      (id, email_digest, personal, password_digest, home_tenant, created_at)
    values (${account.id}, ${account.emailDigest}, ${account.personal}, ${account.passwordDigest ?? null}, ${account.home},
      ${sqlTime(account.now)})
    on conflict (email_digest) do nothing`);
  return count === 1;
}

export async function insertMembership(
  tx: TenantTx,
  member: { account: Id<"account">; role: "owner" | "admin" | "member" | "auditor"; now: Instant },
): Promise<void> {
  await tx.run(sql`insert into memberships (tenant_id, account_id, role, created_at)
    values (${tx.tenant}, ${member.account}, ${member.role}, ${sqlTime(member.now)})`);
}

/** Keeps the account from being erased until the transaction ends, and waits for an erasure that runs. False for one that is. */
export async function keepAccount(tx: Sql, id: Id<"account">): Promise<boolean> {
  const { count } = await tx.run(
    sql`select from accounts where id = ${id} and disabled_at is null for key share`,
  );
  return count === 1;
}

export async function isMember(tx: TenantTx, account: Id<"account">): Promise<boolean> {
  const row = await tx.one<{ member: boolean }>(
    sql`select exists (select from memberships where account_id = ${account}) as member`,
  );
  return row.member;
}

/** Owners and admins of the tenant, a hundred at most. */
export async function findAdmins(tx: TenantTx): Promise<AccountRow[]> {
  const found =
    await tx.many<Row>(sql`select id, home_tenant, personal, password_digest, disabled_at, sign_ins_from
    from accounts where id in (select account_id from memberships where role in ('owner', 'admin') limit 100)`);
  return found.map(accountOf);
}

export async function findAccount(tx: Sql, id: string): Promise<AccountRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select id, home_tenant, personal, password_digest, disabled_at, sign_ins_from
    from accounts where id = ${id}`);
  return row && accountOf(row);
}

export async function findAccountByEmail(tx: Sql, digest: Uint8Array): Promise<AccountRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select id, home_tenant, personal, password_digest, disabled_at, sign_ins_from
    from accounts where email_digest = ${digest}`);
  return row && accountOf(row);
}

/** Holds the account until the transaction ends, and tells whether it has a password. */
export async function lockAccount(
  tx: Sql,
  id: Id<"account">,
): Promise<{ hasPassword: boolean; signInsFrom: Instant | undefined }> {
  const row = await tx.maybe<{ has: boolean; sign_ins_from: Instant | null }>(
    sql`select password_digest is not null as has, sign_ins_from from accounts where id = ${id} for update`,
  );
  return { hasPassword: row?.has === true, signInsFrom: row?.sign_ins_from ?? undefined };
}

/**
 * False when somebody got back in after `begun`, or in this very second: of two recoveries at once, one is begun anew. The
 * core knows sign-ins in whole seconds, and one in the second of a recovery counts as of the next (`secondOf`); so a change
 * in that second refuses those up to the next too.
 */
export async function refuseSignInsBefore(
  tx: Sql,
  id: Id<"account">,
  { now, begun }: { now: Instant; begun?: Instant },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`update accounts set sign_ins_from = greatest(${sqlTime(now)}::timestamptz,
      case when sign_ins_from is not null then
        date_trunc('second', least(sign_ins_from, ${sqlTime(now)}::timestamptz)) + interval '1 second' end)
    where id = ${id} and (sign_ins_from is null or ${begun === undefined}
      or (sign_ins_from <= ${sqlTime(begun ?? now)}::timestamptz
        and date_trunc('second', sign_ins_from) < date_trunc('second', ${sqlTime(now)}::timestamptz)))`);
  return count === 1;
}

/** False when another change came first. The former digest is kept, so that it is not chosen again. */
export async function replacePassword(
  tx: Sql,
  change: { account: Id<"account">; former: string | undefined; digest: string; now: Instant; keep: number },
): Promise<boolean> {
  const { account, former, digest, now, keep } = change;
  const { count } = await tx.run(sql`update accounts set password_digest = ${digest}
    where id = ${account} and password_digest is not distinct from ${former ?? null}`);
  if (count === 0) return false;
  if (former !== undefined) await keepFormer(tx, { account, former, now, keep });
  return true;
}

/** False when there is none. What it was is kept, so that it is not chosen again. */
export async function deletePassword(
  tx: Sql,
  { account, now, keep }: { account: Id<"account">; now: Instant; keep: number },
): Promise<boolean> {
  const row = await tx.maybe<{ former: string | null }>(sql`select password_digest as former
    from accounts where id = ${account} for update`);
  const former = row?.former ?? undefined;
  if (former === undefined) return false;
  await tx.run(sql`update accounts set password_digest = null where id = ${account}`);
  await keepFormer(tx, { account, former, now, keep });
  return true;
}

async function keepFormer(
  tx: Sql,
  { account, former, now, keep }: { account: Id<"account">; former: string; now: Instant; keep: number },
): Promise<void> {
  await tx.run(sql`insert into former_passwords (account_id, digest, replaced_at)
    values (${account}, ${former}, ${sqlTime(now)}) on conflict do nothing`);
  await tx.run(sql`delete from former_passwords where account_id = ${account} and digest not in
    (select digest from former_passwords where account_id = ${account} order by replaced_at desc limit ${keep})`);
}

export async function formerPasswords(tx: Sql, account: Id<"account">): Promise<string[]> {
  const rows = await tx.many<{ digest: string }>(
    sql`select digest from former_passwords where account_id = ${account} order by replaced_at desc`,
  );
  return rows.map(({ digest }) => digest);
}

/**
 * Nobody signs in by it any more, and its address is free for another account. False when it was erased or disabled before:
 * then nothing is done.
 */
export async function eraseAccount(
  tx: Sql,
  { id, nobody, now }: { readonly id: Id<"account">; readonly nobody: Uint8Array; readonly now: Instant },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`update accounts set disabled_at = ${sqlTime(now)}, email_digest = ${nobody},
      personal = ''::bytea, password_digest = null
    where id = ${id} and disabled_at is null`);
  if (count === 0) return false;
  await tx.run(sql`delete from former_passwords where account_id = ${id}`);
  return true;
}
