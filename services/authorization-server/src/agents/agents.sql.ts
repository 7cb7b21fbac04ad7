import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PublicJwk } from "@remit/protocol";
import type { Agent, AgentStanding, AgentStatus } from "./agents.ts";

type Row = {
  readonly id: Id<"agent">;
  readonly tenant_id: Id<"tenant">;
  readonly name: string;
  readonly status: AgentStatus;
  readonly assertion_jwk: PublicJwk;
  readonly dpop_jwk: PublicJwk;
  readonly dpop_thumbprint: string;
  readonly created_at: Instant;
};

type StandingRow = Pick<Row, "tenant_id" | "status" | "dpop_thumbprint">;

const agentOf = (row: Row): Agent => ({
  id: row.id,
  tenant: row.tenant_id,
  name: row.name,
  status: row.status,
  assertionJwk: row.assertion_jwk,
  dpopJwk: row.dpop_jwk,
  dpopThumbprint: row.dpop_thumbprint,
  createdAt: row.created_at,
});

const standingOf = (row: StandingRow): AgentStanding => ({
  tenant: row.tenant_id,
  status: row.status,
  dpopThumbprint: row.dpop_thumbprint,
});

export async function insertAgent(tx: TenantTx, agent: Agent): Promise<void> {
  const createdAt = sqlTime(agent.createdAt);
  await tx.run(sql`insert into agents
      (tenant_id, id, name, assertion_jwk, dpop_jwk, dpop_thumbprint, created_at)
    values (${agent.tenant}, ${agent.id}, ${agent.name}, ${JSON.stringify(agent.assertionJwk)}::jsonb,
      ${JSON.stringify(agent.dpopJwk)}::jsonb, ${agent.dpopThumbprint}, ${createdAt})`);
  await tx.run(sql`insert into agent_standings (agent_id, tenant_id, status, dpop_thumbprint, changed_at)
    values (${agent.id}, ${agent.tenant}, ${agent.status}, ${agent.dpopThumbprint}, ${createdAt})`);
}

export async function findAgent(tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> {
  const row = await tx.maybe<Row>(sql`select a.id, a.tenant_id, a.name, s.status, a.assertion_jwk, a.dpop_jwk,
      a.dpop_thumbprint, a.created_at
    from agents a join agent_standings s on s.agent_id = a.id where a.id = ${id}`);
  return row && agentOf(row);
}

export async function lockAgent(tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> {
  const row = await tx.maybe<Row>(sql`select a.id, a.tenant_id, a.name, s.status, a.assertion_jwk, a.dpop_jwk,
      a.dpop_thumbprint, a.created_at
    from agents a join agent_standings s on s.agent_id = a.id where a.id = ${id} for update of s`);
  return row && agentOf(row);
}

export async function listAgents(
  tx: TenantTx,
  page: { limit: number; before?: Id<"agent"> | undefined },
): Promise<Agent[]> {
  const found =
    await tx.many<Row>(sql`select a.id, a.tenant_id, a.name, s.status, a.assertion_jwk, a.dpop_jwk,
      a.dpop_thumbprint, a.created_at
    from agents a join agent_standings s on s.agent_id = a.id
    where ${page.before ?? null}::text is null or a.id < ${page.before ?? null}
    order by a.id desc limit ${page.limit}`);
  return found.map(agentOf);
}

export async function saveStanding(
  tx: TenantTx,
  change: { id: Id<"agent">; status: AgentStatus; now: Instant },
): Promise<void> {
  await tx.run(sql`update agent_standings set status = ${change.status}, changed_at = ${sqlTime(change.now)}
    where agent_id = ${change.id} and tenant_id = ${tx.tenant}`);
}

export async function findStanding(tx: Sql, id: Id<"agent">): Promise<AgentStanding | undefined> {
  const row = await tx.maybe<StandingRow>(
    sql`select tenant_id, status, dpop_thumbprint from agent_standings where agent_id = ${id}`,
  );
  return row && standingOf(row);
}

export async function lockStanding(tx: Sql, id: Id<"agent">): Promise<AgentStanding | undefined> {
  const row = await tx.maybe<StandingRow>(
    sql`select tenant_id, status, dpop_thumbprint from agent_standings where agent_id = ${id} for share`,
  );
  return row && standingOf(row);
}

export async function tenantOfAgent(tx: Sql, id: Id<"agent">): Promise<Id<"tenant"> | undefined> {
  const row = await tx.maybe<{ tenant: Id<"tenant"> | null }>(sql`select tenant_of_agent(${id}) as tenant`);
  return row?.tenant ?? undefined;
}
