import type { Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type Tenant, type TenantTx } from "@remit/platform/sql";
import type { PlanLimits, PlanSnapshot, PlanTier } from "@remit/protocol";

/**
 * Waits for registrations that saw no maximum, here and where they count above, so that all that come after this are counted
 * (`admit_agent`).
 */
export async function savePlan(
  tx: TenantTx<Tenant>,
  { tier, version, limits }: PlanSnapshot,
  now: Instant,
): Promise<void> {
  await tx.run(
    sql`select pg_advisory_xact_lock(hashtextextended('agents ' || a, 0)) from organizations_above(${tx.tenant}) as a`,
  );
  await tx.run(sql`
    with saved as (insert into plans as p (tenant_id, tier, version, max_agents, max_calls_per_day, max_tokens_per_day,
      max_tokens_per_month, max_requests_per_minute, changed_at)
    values (${tx.tenant}, ${tier}, ${version}, ${limits.maxAgents}, ${limits.maxCallsPerDay},
      ${limits.maxTokensPerDay}, ${limits.maxTokensPerMonth}, ${limits.maxRequestsPerMinute}, ${sqlTime(now)})
    on conflict (tenant_id) do update set tier = excluded.tier, version = excluded.version,
      max_agents = excluded.max_agents, max_calls_per_day = excluded.max_calls_per_day,
      max_tokens_per_day = excluded.max_tokens_per_day, max_tokens_per_month = excluded.max_tokens_per_month,
      max_requests_per_minute = excluded.max_requests_per_minute, changed_at = excluded.changed_at
    where p.version < excluded.version
    returning tenant_id, tier),
    ended as (delete from own_plans p using saved where p.tenant_id = saved.tenant_id and saved.tier = 'free')
    insert into own_plans select tenant_id from saved where tier <> 'free' on conflict do nothing`);
}

/** What this installation says of organizations of which billing said nothing, and whether limits refuse. */
export async function saveRules(db: Sql, rules: PlanLimits & { readonly enforced: boolean }): Promise<void> {
  // Asked first: a database that takes no writes lets us start as we were.
  const { same } = await db.one<{ same: boolean }>(sql`
    select (enforced, max_agents, max_calls_per_day, max_tokens_per_day, max_tokens_per_month, max_requests_per_minute)
      is not distinct from (${rules.enforced}::boolean, ${rules.maxAgents}::bigint, ${rules.maxCallsPerDay}::bigint,
        ${rules.maxTokensPerDay}::bigint, ${rules.maxTokensPerMonth}::bigint, ${rules.maxRequestsPerMinute}::bigint)
      as same
    from plan_rules`);
  if (same) return;
  await db.run(sql`
    update plan_rules set enforced = ${rules.enforced}, max_agents = ${rules.maxAgents},
      max_calls_per_day = ${rules.maxCallsPerDay}, max_tokens_per_day = ${rules.maxTokensPerDay},
      max_tokens_per_month = ${rules.maxTokensPerMonth}, max_requests_per_minute = ${rules.maxRequestsPerMinute}`);
}

type Row = {
  readonly tier: PlanTier;
  readonly max_agents: bigint | null;
  readonly max_calls_per_day: bigint | null;
  readonly max_tokens_per_day: bigint | null;
  readonly max_tokens_per_month: bigint | null;
  readonly max_requests_per_minute: bigint | null;
  /** What whoever governs the organization allows beside its plan. */
  readonly governed: number | null;
};

const numberOf = (value: bigint | null): number | null => (value === null ? null : Number(value));
const lesser = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other);

export async function findPlan(tx: TenantTx): Promise<{ tier: PlanTier; limits: PlanLimits }> {
  const row = await tx.one<Row>(sql`
    select p.*, (select o.max_agents from tenant_standings o where o.tenant_id = ${tx.tenant}) as governed from plan_for(${tx.tenant}) as p`);
  return {
    tier: row.tier,
    limits: {
      maxAgents: lesser(numberOf(row.max_agents), row.governed),
      maxCallsPerDay: numberOf(row.max_calls_per_day),
      maxTokensPerDay: numberOf(row.max_tokens_per_day),
      maxTokensPerMonth: numberOf(row.max_tokens_per_month),
      maxRequestsPerMinute: numberOf(row.max_requests_per_minute),
    },
  };
}

/** Agents that are not decommissioned, its own and those of organizations that it made, counted now. */
export const countLiveAgents = async (tx: TenantTx): Promise<number> =>
  (await tx.one<{ live: number }>(sql`select count_agents(${tx.tenant}, 2147483647) as live`)).live;
