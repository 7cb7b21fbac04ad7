import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { SetupKind } from "./setup-tokens.ts";

export async function insertSetupToken(
  tx: TenantTx,
  setup: {
    digest: string;
    kind: SetupKind;
    name?: string | undefined;
    by: string;
    now: Instant;
    expiresAt: Instant;
  },
): Promise<void> {
  await tx.run(sql`insert into setup_tokens (tenant_id, digest, kind, name, created_by, created_at, expires_at)
    values (${tx.tenant}, ${setup.digest}, ${setup.kind}, ${setup.name ?? null}, ${setup.by}, ${sqlTime(setup.now)},
      ${sqlTime(setup.expiresAt)})`);
}

export async function tenantOfSetup(tx: Sql, digest: string): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(
    sql`select tenant_of_setup(${digest}) as tenant`,
  );
  return row?.tenant ?? undefined;
}

export async function findSetupToken(
  tx: TenantTx,
  { digest, now }: { digest: string; now: Instant },
): Promise<{ kind: SetupKind; name: string | undefined; by: string } | undefined> {
  const row = await tx.maybe<{ kind: SetupKind; name: string | null; created_by: string }>(
    sql`select kind, name, created_by from setup_tokens
      where digest = ${digest} and used_at is null and expires_at > ${sqlTime(now)}`,
  );
  return row && { kind: row.kind, name: row.name ?? undefined, by: row.created_by };
}

export type SetupRow = {
  readonly name: string | undefined;
  readonly expiresAt: Instant;
  /** The client that it registered. */
  readonly usedBy: string | undefined;
};

/** One that this person made for an agent, whatever has become of it. */
export async function readAgentSetup(
  tx: TenantTx,
  { digest, by }: { digest: string; by: string },
): Promise<SetupRow | undefined> {
  const row = await tx.maybe<{ name: string | null; expires_at: Instant; used_by: string | null }>(
    sql`select name, expires_at, used_by from setup_tokens
      where digest = ${digest} and created_by = ${by} and kind = 'agent'`,
  );
  return row && { name: row.name ?? undefined, expiresAt: row.expires_at, usedBy: row.used_by ?? undefined };
}

/** False when it was used before, or has expired. */
export async function consumeSetupToken(
  tx: TenantTx,
  { digest, now }: { digest: string; now: Instant },
): Promise<boolean> {
  const { count } = await tx.run(sql`update setup_tokens set used_at = ${sqlTime(now)}
    where digest = ${digest} and used_at is null and expires_at > ${sqlTime(now)}`);
  return count === 1;
}

export async function saveUser(
  tx: TenantTx,
  { digest, client }: { digest: string; client: string },
): Promise<void> {
  await tx.run(sql`update setup_tokens set used_by = ${client} where digest = ${digest}`);
}
