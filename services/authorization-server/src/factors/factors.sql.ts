import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type PasskeyRow = {
  readonly credentialDigest: Uint8Array;
  readonly account: Id<"account">;
  readonly sealed: Uint8Array;
  readonly deviceBound: boolean;
  readonly createdAt: Instant;
  readonly lastUsedAt: Instant | undefined;
};

type Row = {
  readonly credential_digest: Uint8Array;
  readonly account_id: Id<"account">;
  readonly sealed: Uint8Array;
  readonly device_bound: boolean;
  readonly created_at: Instant;
  readonly last_used_at: Instant | null;
};

const passkeyOf = (row: Row): PasskeyRow => ({
  credentialDigest: row.credential_digest,
  account: row.account_id,
  sealed: row.sealed,
  deviceBound: row.device_bound,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at ?? undefined,
});

/** False when somebody has this credential already. */
export async function insertPasskey(
  tx: Sql,
  passkey: Omit<PasskeyRow, "lastUsedAt"> & { signCount: number },
): Promise<boolean> {
  const { count } = await tx.run(sql`insert into passkeys
      (credential_digest, account_id, sealed, sign_count, device_bound, created_at)
    values (${passkey.credentialDigest}, ${passkey.account}, ${passkey.sealed}, ${BigInt(passkey.signCount)},
      ${passkey.deviceBound}, ${sqlTime(passkey.createdAt)})
    on conflict do nothing`);
  return count === 1;
}

export async function findPasskey(tx: Sql, digest: Uint8Array): Promise<PasskeyRow | undefined> {
  const row =
    await tx.maybe<Row>(sql`select credential_digest, account_id, sealed, device_bound, created_at, last_used_at
    from passkeys where credential_digest = ${digest}`);
  return row && passkeyOf(row);
}

export async function passkeysOf(tx: Sql, account: Id<"account">): Promise<PasskeyRow[]> {
  const rows =
    await tx.many<Row>(sql`select credential_digest, account_id, sealed, device_bound, created_at, last_used_at
    from passkeys where account_id = ${account} order by created_at, credential_digest`);
  return rows.map(passkeyOf);
}

/**
 * WebAuthn §6.1.1: a counter that does not rise is a copied key, unless the authenticator counts nothing at all. One
 * statement, so that of two uses with the same count one is refused. False when it was refused, or the key is gone.
 */
export async function usePasskey(
  tx: Sql,
  use: { digest: Uint8Array; account: Id<"account">; signCount: number; now: Instant },
): Promise<boolean> {
  const count = BigInt(use.signCount);
  const { count: updated } =
    await tx.run(sql`update passkeys set sign_count = ${count}, last_used_at = ${sqlTime(use.now)}
    where credential_digest = ${use.digest} and account_id = ${use.account}
      and (sign_count < ${count} or (sign_count = 0 and ${count} = 0))`);
  return updated === 1;
}

export async function resealPasskey(
  tx: Sql,
  change: { digest: Uint8Array; account: Id<"account">; sealed: Uint8Array },
): Promise<boolean> {
  const { count } = await tx.run(sql`update passkeys set sealed = ${change.sealed}
    where credential_digest = ${change.digest} and account_id = ${change.account}`);
  return count === 1;
}

export async function deletePasskey(tx: Sql, digest: Uint8Array, account: Id<"account">): Promise<boolean> {
  const { count } = await tx.run(
    sql`delete from passkeys where credential_digest = ${digest} and account_id = ${account}`,
  );
  return count === 1;
}

/** False when there is one already. */
export async function insertApp(
  tx: Sql,
  app: { account: Id<"account">; sealed: Uint8Array; usedStep: number; now: Instant },
): Promise<boolean> {
  const { count } =
    await tx.run(sql`insert into authenticator_apps (account_id, sealed, used_step, created_at)
    values (${app.account}, ${app.sealed}, ${BigInt(app.usedStep)}, ${sqlTime(app.now)})
    on conflict do nothing`);
  return count === 1;
}

export const findApp = (
  tx: Sql,
  account: Id<"account">,
): Promise<{ sealed: Uint8Array; created_at: Instant } | undefined> =>
  tx.maybe(sql`select sealed, created_at from authenticator_apps where account_id = ${account}`);

export async function deletePasskeysBut(
  tx: Sql,
  account: Id<"account">,
  kept: Uint8Array | undefined,
): Promise<Uint8Array[]> {
  const gone = await tx.many<Pick<Row, "credential_digest">>(sql`delete from passkeys
    where account_id = ${account} and credential_digest is distinct from ${kept ?? null}::bytea
    returning credential_digest`);
  return gone.map((row) => row.credential_digest);
}

/** An app that was added after `proven` is not the one that was proven. Without it, any. */
export async function deleteAppSince(
  tx: Sql,
  account: Id<"account">,
  proven: Instant | undefined,
): Promise<boolean> {
  const since = proven === undefined ? null : sqlTime(proven);
  const { count } = await tx.run(sql`delete from authenticator_apps
    where account_id = ${account} and (${since}::timestamptz is null or created_at > ${since}::timestamptz)`);
  return count === 1;
}

/** RFC 6238 §5.2: false when this step, or a later one, was used. */
export async function useStep(tx: Sql, account: Id<"account">, step: number): Promise<boolean> {
  const { count } = await tx.run(sql`update authenticator_apps set used_step = ${BigInt(step)}
    where account_id = ${account} and used_step < ${BigInt(step)}`);
  return count === 1;
}

export async function deleteApp(tx: Sql, account: Id<"account">): Promise<boolean> {
  const { count } = await tx.run(sql`delete from authenticator_apps where account_id = ${account}`);
  return count === 1;
}

export async function replaceCodes(
  tx: Sql,
  { account, digests, now }: { account: Id<"account">; digests: readonly Uint8Array[]; now: Instant },
): Promise<void> {
  await tx.run(sql`delete from recovery_codes where account_id = ${account}`);
  for (const digest of digests)
    await tx.run(sql`insert into recovery_codes (account_id, digest, created_at)
      values (${account}, ${digest}, ${sqlTime(now)})`);
}

/** True once for each code. */
export async function useCode(
  tx: Sql,
  use: { account: Id<"account">; digest: Uint8Array; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`update recovery_codes set used_at = ${sqlTime(use.now)}
    where account_id = ${use.account} and digest = ${use.digest} and used_at is null`);
  return count === 1;
}

export async function countCodes(tx: Sql, account: Id<"account">): Promise<number> {
  const row = await tx.one<{ left: number }>(
    sql`select count(*)::int as left from recovery_codes where account_id = ${account} and used_at is null`,
  );
  return row.left;
}

/** Every way of showing who they are beyond a password. */
export async function deleteFactorsOf(tx: Sql, account: Id<"account">): Promise<void> {
  await tx.run(sql`delete from passkeys where account_id = ${account}`);
  await tx.run(sql`delete from authenticator_apps where account_id = ${account}`);
  await tx.run(sql`delete from recovery_codes where account_id = ${account}`);
}
