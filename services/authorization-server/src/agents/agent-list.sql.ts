import type { SqlValue, Statement, TenantTx } from "@remit/platform/sql";
import type { AgentFilter, AgentWindow } from "./agent-list.ts";
import { agentOf, type Row } from "./agents.sql.ts";
import type { Agent } from "./agents.ts";

/**
 * The agents of a tenant that a filter lets through, newest first. Conditions are put together from the filter's members
 * alone and without a name, so that PostgreSQL plans each list for its own values: a generic plan for a rare status would
 * read the whole tenant. Only comparisons stand in them that may look behind row-level security.
 */
export async function listAgents(
  tx: TenantTx,
  filter: AgentFilter,
  { limit, before, offset }: AgentWindow,
): Promise<Agent[]> {
  const built = conditions(filter);
  const page = before === undefined ? "" : ` and a.id < ${built.value(before)}`;
  // Of those that come before a late page only the ids are read, which an index has: not their rows and standings.
  const ids = `select a.id ${built.from}${page} order by a.id desc
    limit ${built.value(limit)} offset ${built.value(offset)}`;
  const found = await tx.many<Row>(
    built.statement(`select a.*, s.status from (${ids}) page join agents a on a.id = page.id
      join agent_standings s on s.agent_id = a.id order by a.id desc`),
  );
  return found.map(agentOf);
}

export async function countAgents(tx: TenantTx, filter: AgentFilter): Promise<number> {
  const built = conditions(filter);
  const { count } = await tx.one<{ count: bigint }>(
    built.statement(`select count(*) as count ${built.from}`),
  );
  return Number(count);
}

type Built = {
  readonly from: string;
  value(value: SqlValue): string;
  statement(text: string): Statement;
};

function conditions(filter: AgentFilter): Built {
  const values: SqlValue[] = [];
  const value = (one: SqlValue): string => `$${values.push(one)}`;
  const where = ["true"];
  // Each agent has a standing, so that the join changes nothing where none is asked for.
  const standing = filter.status === undefined ? "" : "join agent_standings s on s.agent_id = a.id";
  if (filter.owner !== undefined) where.push(`a.owner = ${value(filter.owner)}`);
  if (filter.agentType !== undefined) where.push(`a.agent_type = ${value(filter.agentType)}`);
  if (filter.deploymentEnv !== undefined) where.push(`a.deployment_env = ${value(filter.deploymentEnv)}`);
  // Of the same tenant, which the planner is not told by the id: few of one standing are found by the index of standings.
  if (filter.status !== undefined)
    where.push(`s.status = ${value(filter.status)} and s.tenant_id = a.tenant_id`);
  if (filter.capability !== undefined)
    where.push(`exists (select from agent_capabilities c
      where c.tenant_id = a.tenant_id and c.capability = ${value(filter.capability)} and c.agent_id = a.id)`);
  if (filter.text !== undefined) {
    const from = value(filter.text.toLowerCase());
    // In the "C" order of bytes: everything that begins so stands between it and it with the last character there is.
    const to = value(`${filter.text.toLowerCase()}\u{10ffff}`);
    where.push(`(a.name_key between ${from} and ${to} or a.email between ${from} and ${to})`);
  }
  return {
    from: `from agents a ${standing} where ${where.join(" and ")}`,
    value,
    statement: (text) => ({ text, values, name: "" }),
  };
}
