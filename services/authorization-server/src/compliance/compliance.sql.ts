import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

/** Tenant tables of ours that are not under forced row-level security, or that are not there. */
export async function unprotectedTables(tx: Sql, names: readonly string[]): Promise<string[]> {
  const rows = await tx.many<{ name: string }>(sql`
    select name from unnest(${names}::text[]) as name
    where not exists (select from pg_class c where c.oid = to_regclass(name) and c.relrowsecurity and c.relforcerowsecurity)`);
  return rows.map(({ name }) => name);
}

export const signingKeys = (
  tx: Sql,
): Promise<{ signing: bigint; unwrapped: bigint; since: Instant | null }> =>
  tx.one(sql`
    select count(*) as signing, count(*) filter (where wrapped is null) as unwrapped,
      min(not_before) filter (where state = 'current') as since
    from signing_keys where state in ('next', 'current')`);

export const auditState = (
  tx: Sql,
): Promise<{
  logs: bigint;
  broken: bigint;
  unverified: bigint;
  verified: Instant | null;
  unsigned: bigint;
}> =>
  tx.one(sql`
    select (select count(*) from audit_verifications) as logs,
      (select count(*) from audit_verifications where broken_seq is not null) as broken,
      (select count(*) from audit_heads h left join audit_verifications v using (tenant_id)
        where v.at is null) as unverified,
      (select min(at) from audit_verifications) as verified,
      (select count(*) from audit_heads where seq > checkpoint_seq) as unsigned`);

export type AgentCounts = {
  readonly agents: bigint;
  readonly active: bigint;
  readonly unowned: bigint;
  readonly incapable: bigint;
  readonly unproven: bigint;
  readonly ended: bigint;
  readonly stale: bigint;
};

/** What of the tenant's agents and credentials a report judges, in one pass. */
export const agentCounts = (
  tx: TenantTx,
  { now, staleBefore }: { now: Instant; staleBefore: Instant },
): Promise<AgentCounts> =>
  tx.one(sql`
    with live as (
      select agent_id, coalesce(rotated_at, created_at) as since from credentials
      where revoked_at is null and (expires_at is null or expires_at > ${sqlTime(now)}))
    select count(*) as agents,
      count(*) filter (where s.status = 'active') as active,
      count(*) filter (where s.status = 'active' and a.owner is null) as unowned,
      count(*) filter (where s.status = 'active' and not exists (
        select from agent_capabilities c where c.tenant_id = a.tenant_id and c.agent_id = a.id)) as incapable,
      count(*) filter (where s.status = 'active' and a.assertion_jwk is null
        and not exists (select from live where live.agent_id = a.id)) as unproven,
      count(*) filter (where s.status = 'decommissioned'
        and exists (select from live where live.agent_id = a.id)) as ended,
      (select count(*) from live where since < ${sqlTime(staleBefore)}) as stale
    from agents a join agent_standings s on s.agent_id = a.id where a.tenant_id = ${tx.tenant}`);

export const logHead = (tx: TenantTx): Promise<{ seq: bigint; checkpoint_seq: bigint } | undefined> =>
  tx.maybe(sql`select seq, checkpoint_seq from audit_heads where tenant_id = ${tx.tenant}`);

export type AccessRow = {
  readonly place: string;
  readonly kind: "member" | "client" | "agent" | "credential";
  readonly id: string;
  readonly of: string | null;
  readonly role: string | null;
  readonly scopes: string[] | null;
  readonly status: string;
  readonly created_at: Instant;
  readonly expires_at: Instant | null;
  readonly last_used_at: Instant | null;
};

/** Who and what has access, by a place that a list can go on from. */
export const accessRows = (
  tx: TenantTx,
  { now, after, limit }: { readonly now: Instant; readonly after: string; readonly limit: number },
): Promise<AccessRow[]> =>
  tx.many(sql`
    select * from (
      select '1' || account_id as place, 'member' as kind, account_id as id, null::text as of, role, null::text[] as scopes,
        'active' as status, created_at, null::timestamptz as expires_at, null::timestamptz as last_used_at
      from memberships where tenant_id = ${tx.tenant}
      union all
      select '2' || id, 'client', id, null, kind, scopes, case when disabled_at is null then 'active' else 'disabled' end,
        created_at, null, null
      from clients where tenant_id = ${tx.tenant} and kind <> 'agent'
      union all
      select '3' || a.id, 'agent', a.id, null, a.agent_type, a.scopes, s.status, a.created_at, null, null
      from agents a join agent_standings s on s.agent_id = a.id where a.tenant_id = ${tx.tenant}
      union all
      select '4' || id, 'credential', id, agent_id, kind, null,
        case when revoked_at is not null then 'revoked' when expires_at <= ${sqlTime(now)} then 'expired' else 'active' end,
        created_at, expires_at, last_used_at
      from credentials where tenant_id = ${tx.tenant}) held
    where place > ${after} collate "C" order by place collate "C" limit ${limit}`);

export type TenantId = Id<"tenant">;
