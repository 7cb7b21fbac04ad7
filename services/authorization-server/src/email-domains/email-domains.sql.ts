import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type EmailDomainRow = {
  readonly digest: Uint8Array;
  readonly tenant: Id<"tenant">;
  readonly sealed: Uint8Array;
  readonly assignedAt: Instant;
};

type Row = {
  readonly digest: Uint8Array;
  readonly tenant_id: Id<"tenant">;
  readonly sealed: Uint8Array;
  readonly assigned_at: Instant;
};

const domainOf = (row: Row): EmailDomainRow => ({
  digest: row.digest,
  tenant: row.tenant_id,
  sealed: row.sealed,
  assignedAt: row.assigned_at,
});

/** False when it is somebody's already. */
export async function insertDomain(tx: Sql, row: EmailDomainRow): Promise<boolean> {
  const { count } = await tx.run(sql`insert into email_domains (digest, tenant_id, sealed, assigned_at)
    values (${row.digest}, ${row.tenant}, ${row.sealed}, ${sqlTime(row.assignedAt)}) on conflict do nothing`);
  return count === 1;
}

export async function findDomain(tx: Sql, digest: Uint8Array): Promise<EmailDomainRow | undefined> {
  const row = await tx.maybe<Row>(sql`select * from email_domains where digest = ${digest}`);
  return row && domainOf(row);
}

export async function listDomains(tx: Sql, tenant: Id<"tenant">, limit: number): Promise<EmailDomainRow[]> {
  const found = await tx.many<Row>(sql`select * from email_domains where tenant_id = ${tenant}
    order by assigned_at, digest limit ${limit}`);
  return found.map(domainOf);
}

export async function deleteDomain(
  tx: Sql,
  { digest, tenant }: { digest: Uint8Array; tenant: Id<"tenant"> },
): Promise<boolean> {
  const { count } = await tx.run(
    sql`delete from email_domains where digest = ${digest} and tenant_id = ${tenant}`,
  );
  return count === 1;
}

export async function hasDomains(tx: Sql): Promise<boolean> {
  const row = await tx.one<{ any: boolean }>(sql`select exists (select from email_domains) as any`);
  return row.any;
}
