import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";
import type { PublicJwk, Scope } from "@remit/protocol";
import type { AgentType, DeploymentEnv } from "@remit/protocol/contracts";
import type { Agent, AgentStanding, AgentStatus } from "./agents.ts";

export type Row = {
  readonly id: Id<"agent">;
  readonly tenant_id: Id<"tenant">;
  readonly name: string;
  readonly status: AgentStatus;
  readonly email: string | null;
  readonly agent_type: AgentType;
  readonly version: string;
  readonly capabilities: readonly string[];
  readonly owner: string | null;
  readonly deployment_env: DeploymentEnv;
  readonly is_public: boolean;
  readonly scopes: readonly Scope[];
  readonly assertion_jwk: PublicJwk | null;
  readonly dpop_jwk: PublicJwk | null;
  readonly dpop_thumbprint: string | null;
  readonly created_at: Instant;
  readonly updated_at: Instant;
};

type StandingRow = Pick<Row, "tenant_id" | "status" | "dpop_thumbprint">;

export const agentOf = (row: Row): Agent => ({
  id: row.id,
  tenant: row.tenant_id,
  name: row.name,
  status: row.status,
  email: row.email ?? undefined,
  agentType: row.agent_type,
  version: row.version,
  capabilities: row.capabilities,
  owner: row.owner ?? undefined,
  deploymentEnv: row.deployment_env,
  isPublic: row.is_public,
  scopes: row.scopes,
  assertionJwk: row.assertion_jwk ?? undefined,
  dpopJwk: row.dpop_jwk ?? undefined,
  dpopThumbprint: row.dpop_thumbprint ?? undefined,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
});

const standingOf = (row: StandingRow): AgentStanding => ({
  tenant: row.tenant_id,
  status: row.status,
  dpopThumbprint: row.dpop_thumbprint ?? undefined,
});

const json = (value: unknown): string | null => (value === undefined ? null : JSON.stringify(value));

/** Throws on the constraints `agents_email` and `agents_max`. */
export async function insertAgents(tx: TenantTx, agents: readonly Agent[]): Promise<void> {
  await tx.run(sql`select insert_agents(${JSON.stringify(agents.map(rowOf))}::jsonb)`);
}

const rowOf = (agent: Agent) => ({
  id: agent.id,
  name: agent.name,
  email: agent.email ?? null,
  agent_type: agent.agentType,
  version: agent.version,
  capabilities: agent.capabilities,
  owner: agent.owner ?? null,
  deployment_env: agent.deploymentEnv,
  is_public: agent.isPublic,
  scopes: agent.scopes,
  assertion_jwk: agent.assertionJwk ?? null,
  dpop_jwk: agent.dpopJwk ?? null,
  dpop_thumbprint: agent.dpopThumbprint ?? null,
  status: agent.status,
  created_at: sqlTime(agent.createdAt),
});

export async function findAgent(tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> {
  const row = await tx.maybe<Row>(sql`select a.*, s.status
    from agents a join agent_standings s on s.agent_id = a.id where a.id = ${id}`);
  return row && agentOf(row);
}

export type Wanted = { readonly tenant: Id<"tenant">; readonly id: Id<"agent"> };

/** Each under its own tenant, all of them in one round trip. */
export async function readAgents(db: Sql, wanted: readonly Wanted[]): Promise<Agent[]> {
  const [tenants, ids] = [wanted.map(({ tenant }) => tenant), wanted.map(({ id }) => id)];
  const rows = await db.many<Row>(sql`select * from read_agents(${tenants}::text[], ${ids}::text[])`);
  return rows.map(agentOf);
}

export async function findAgentByEmail(tx: TenantTx, email: string): Promise<Agent | undefined> {
  const row = await tx.maybe<Row>(sql`select a.*, s.status
    from agents a join agent_standings s on s.agent_id = a.id where a.email = ${email}`);
  return row && agentOf(row);
}

export async function lockAgent(tx: TenantTx, id: Id<"agent">): Promise<Agent | undefined> {
  const row = await tx.maybe<Row>(sql`select a.*, s.status
    from agents a join agent_standings s on s.agent_id = a.id where a.id = ${id} for update of s`);
  return row && agentOf(row);
}

export async function saveProfile(tx: TenantTx, agent: Agent, before: readonly string[]): Promise<void> {
  await tx.run(sql`update agents set name = ${agent.name}, name_key = lower(${agent.name}),
      email = ${agent.email ?? null}, agent_type = ${agent.agentType}, version = ${agent.version},
      capabilities = ${[...agent.capabilities]}::text[], owner = ${agent.owner ?? null},
      deployment_env = ${agent.deploymentEnv}, is_public = ${agent.isPublic},
      scopes = ${[...agent.scopes]}::text[], updated_at = ${sqlTime(agent.updatedAt)}
    where id = ${agent.id}`);
  if (agent.capabilities === before) return;
  await tx.run(sql`delete from agent_capabilities where agent_id = ${agent.id} and tenant_id = ${tx.tenant}`);
  await tx.run(sql`insert into agent_capabilities (tenant_id, capability, agent_id)
    select ${tx.tenant}, one, ${agent.id} from unnest(${[...agent.capabilities]}::text[]) as one`);
}

export async function saveKeys(tx: TenantTx, agent: Agent): Promise<void> {
  const thumbprint = agent.dpopThumbprint ?? null;
  await tx.run(sql`update agents set assertion_jwk = ${json(agent.assertionJwk)}::jsonb,
      dpop_jwk = ${json(agent.dpopJwk)}::jsonb, dpop_thumbprint = ${thumbprint}, updated_at = ${sqlTime(agent.updatedAt)}
    where id = ${agent.id}`);
  await tx.run(sql`update agent_standings set dpop_thumbprint = ${thumbprint}, changed_at = ${sqlTime(agent.updatedAt)}
    where agent_id = ${agent.id} and tenant_id = ${tx.tenant}`);
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

/** Of those that there are. */
export async function findStandings(
  db: Sql,
  ids: readonly Id<"agent">[],
): Promise<Map<Id<"agent">, AgentStanding>> {
  const found = await db.many<StandingRow & { agent_id: Id<"agent"> }>(
    sql`select agent_id, tenant_id, status, dpop_thumbprint from agent_standings where agent_id = any(${ids})`,
  );
  return new Map(found.map((row) => [row.agent_id, standingOf(row)]));
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
