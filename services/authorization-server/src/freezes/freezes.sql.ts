import type { Id, Instant } from "@remit/kernel";
import { sql, sqlTime, type TenantTx } from "@remit/platform/sql";

/** The brake on all agents stands under this name. */
export const everyAgent = "*";

export async function insertAgents(tx: TenantTx, agents: readonly string[], now: Instant): Promise<void> {
  await tx.run(sql`insert into principals_agents (tenant_id, agent_id, known_at)
    select ${tx.tenant}, agent, ${sqlTime(now)}::timestamptz from unnest(${[...agents].toSorted()}::text[]) as agent
    on conflict do nothing`);
}

/** Whether any of the brakes is on; none is put on or off until the transaction ends. */
export async function keepBrakes(tx: TenantTx, agents: readonly string[]): Promise<boolean> {
  const found = await tx.many<{ frozen_at: Instant | null }>(sql`select frozen_at from principals_agents
    where agent_id = any(${[...agents]}::text[]) order by agent_id for share`);
  return found.some(({ frozen_at }) => frozen_at !== null);
}

/** One brake after the other: whoever moves one holds this until the transaction ends. */
export async function lockBrakes(tx: TenantTx): Promise<void> {
  await tx.run(sql`select 1 from principals_agents where agent_id = ${everyAgent} for update`);
}

/** False when it is as asked already. */
export async function saveBrake(
  tx: TenantTx,
  agent: string,
  frozenAt: Instant | undefined,
): Promise<boolean> {
  const at = frozenAt === undefined ? null : sqlTime(frozenAt);
  const { count } = await tx.run(sql`update principals_agents set frozen_at = ${at}::timestamptz
    where agent_id = ${agent} and (frozen_at is null) <> (${at}::timestamptz is null)`);
  return count === 1;
}

export async function findBrake(
  tx: TenantTx,
  agent: string,
): Promise<{ readonly frozenAt: Instant | undefined } | undefined> {
  const row = await tx.maybe<{ frozen_at: Instant | null }>(
    sql`select frozen_at from principals_agents where agent_id = ${agent}`,
  );
  return row && { frozenAt: row.frozen_at ?? undefined };
}

/** An agent that the tenant has given a mandate to. */
export type KnownAgent = {
  readonly id: Id<"agent">;
  readonly knownAt: Instant;
  readonly frozenAt: Instant | undefined;
};

/** By id, which is by when each was registered. */
export async function listKnownAgents(
  tx: TenantTx,
  page: {
    readonly after: Id<"agent"> | undefined;
    readonly limit: number;
    readonly among?: readonly Id<"agent">[] | undefined;
  },
): Promise<KnownAgent[]> {
  const among = page.among === undefined ? null : [...page.among];
  const found = await tx.many<{ agent_id: Id<"agent">; known_at: Instant; frozen_at: Instant | null }>(sql`
    select agent_id, known_at, frozen_at from principals_agents
    where agent_id > ${page.after ?? everyAgent} and (${among}::text[] is null or agent_id = any(${among}::text[]))
    order by agent_id limit ${page.limit}`);
  return found.map((row) => ({
    id: row.agent_id,
    knownAt: row.known_at,
    frozenAt: row.frozen_at ?? undefined,
  }));
}
