import { after, type Id, type Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export type AccountRow = {
  readonly id: Id<"account">;
  readonly home: Id<"tenant">;
  readonly personal: Uint8Array;
  readonly passwordDigest: string;
  readonly disabled: boolean;
};

type Row = {
  readonly id: Id<"account">;
  readonly home_tenant: Id<"tenant">;
  readonly personal: Uint8Array;
  readonly password_digest: string;
  readonly disabled_at: Instant | null;
};

const accountOf = (row: Row): AccountRow => ({
  id: row.id,
  home: row.home_tenant,
  personal: row.personal,
  passwordDigest: row.password_digest,
  disabled: row.disabled_at !== null,
});

/** False when the address is known. */
export async function insertAccount(
  tx: TenantTx,
  account: Omit<AccountRow, "disabled"> & { emailDigest: Uint8Array; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into accounts
      (id, email_digest, personal, password_digest, home_tenant, created_at)
    values (${account.id}, ${account.emailDigest}, ${account.personal}, ${account.passwordDigest}, ${account.home},
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

export async function isMember(tx: TenantTx, account: Id<"account">): Promise<boolean> {
  const row = await tx.one<{ member: boolean }>(
    sql`select exists (select from memberships where account_id = ${account}) as member`,
  );
  return row.member;
}

export async function findAccount(tx: Sql, id: string): Promise<AccountRow | undefined> {
  const row = await tx.maybe<Row>(sql`select id, home_tenant, personal, password_digest, disabled_at
    from accounts where id = ${id}`);
  return row && accountOf(row);
}

export async function findAccountByEmail(tx: Sql, digest: Uint8Array): Promise<AccountRow | undefined> {
  const row = await tx.maybe<Row>(sql`select id, home_tenant, personal, password_digest, disabled_at
    from accounts where email_digest = ${digest}`);
  return row && accountOf(row);
}

/** Counts one attempt, in a new window when the last has ended; the count includes this one. */
export async function countAttempt(
  tx: Sql,
  { key, now, endsMs }: { key: string; now: Instant; endsMs: number },
): Promise<{ count: number; windowEnds: Instant }> {
  const ends = sqlTime(after(now, endsMs));
  const row = await tx.one<{ failed_count: number; window_ends: Instant }>(
    sql`insert into sign_in_failures as f (key, failed_count, window_ends) values (${key}, 1, ${ends})
      on conflict (key) do update set
        failed_count = case when f.window_ends <= ${sqlTime(now)} then 1 else f.failed_count + 1 end,
        window_ends = case when f.window_ends <= ${sqlTime(now)} then excluded.window_ends else f.window_ends end
      returning failed_count, window_ends`,
  );
  return { count: row.failed_count, windowEnds: row.window_ends };
}

export async function clearAttempts(tx: Sql, key: string): Promise<void> {
  await tx.run(sql`delete from sign_in_failures where key = ${key}`);
}

/** Forgets windows that have ended; returns how many. */
export async function deleteEndedWindows(tx: Sql, now: Instant, limit: number): Promise<number> {
  const { count } = await tx.run(sql`delete from sign_in_failures where key in
    (select key from sign_in_failures where window_ends < ${sqlTime(now)} limit ${limit})`);
  return count;
}
