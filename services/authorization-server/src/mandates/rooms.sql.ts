import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime } from "@remit/platform/sql";

export type AgentsRoots = {
  readonly agent_id: Id<"agent">;
  readonly currency: string;
  /** All that stand, whoever gave them. */
  readonly mandates: number;
  /** What those that the principal gave itself leave, in budget units. */
  readonly room: string;
};

/** For each agent and currency: how many of its mandates are neither revoked nor over, and what the roots among them leave. */
export const rootsOfAgents = (
  tx: Sql,
  agents: readonly Id<"agent">[],
  now: Instant,
): Promise<AgentsRoots[]> =>
  tx.many(sql`select m.agent_id, m.currency, count(*)::integer as mandates,
      coalesce(sum(b.cap - b.held - b.spent) filter (where m.parent_id is null and m.state = 'active'
        and m.frozen_at is null and (b.uses_max is null or b.uses < b.uses_max)), 0) as room
    from mandates m join mandate_budgets b on b.tenant_id = m.tenant_id and b.mandate_id = m.id
    where m.agent_id = any(${[...agents]}::text[]) and m.state <> 'revoked'
      and coalesce(m.narrowed_until, m.expires_at) > ${sqlTime(now)}
    group by m.agent_id, m.currency order by m.agent_id, m.currency`);

export type HandedTo = {
  readonly agent_id: Id<"agent">;
  readonly currency: string;
  /** From the root down to the mandate itself: what each leaves, in budget units, or nothing where it cannot be used. */
  readonly chain: readonly { readonly id: Id<"mandate">; readonly room: string }[];
};

/**
 * What other agents handed on to these and can be used. One that lies below another of the same agent is left out: what the
 * upper one leaves is all that both have.
 */
export const chainsOfAgents = (tx: Sql, agents: readonly Id<"agent">[], now: Instant): Promise<HandedTo[]> =>
  tx.many(sql`select m.agent_id, m.currency, (
      select jsonb_agg(jsonb_build_object('id', a.id, 'room', (case
          when a.state = 'active' and a.frozen_at is null and coalesce(a.narrowed_until, a.expires_at) > ${sqlTime(now)}
            and (b.uses_max is null or b.uses < b.uses_max)
          then b.cap - b.held - b.spent else 0 end)::text) order by cardinality(a.ancestors))
      from mandates a join mandate_budgets b on b.tenant_id = a.tenant_id and b.mandate_id = a.id
      where a.id = any(array_append(m.ancestors, m.id))) as chain
    from mandates m
    where m.agent_id = any(${[...agents]}::text[]) and m.parent_id is not null
      and m.state = 'active' and m.frozen_at is null and not m.held_back
      and coalesce(m.narrowed_until, m.expires_at) > ${sqlTime(now)}
      and not exists (select from mandates p where p.id = any(m.ancestors) and p.agent_id = m.agent_id)
    order by m.agent_id, m.id`);

export type TotalRow = {
  readonly currency: string;
  readonly mandates: number;
  readonly cap: string;
  readonly spent: string;
  readonly held: string;
  /** What of it may be spent now: nothing of what is suspended or frozen. */
  readonly room: string;
};

/**
 * For each currency what the mandates allow that a principal gave itself and that are neither revoked nor over, in budget
 * units. What was handed on from them is spent of them as well, and counts nowhere else.
 */
export const totalsBy = (tx: Sql, now: Instant): Promise<TotalRow[]> =>
  tx.many(sql`select m.currency, count(*)::integer as mandates,
    sum(b.cap) as cap, sum(b.spent) as spent, sum(b.held) as held,
    coalesce(sum(b.cap - b.held - b.spent) filter (where m.state = 'active' and m.frozen_at is null
      and (b.uses_max is null or b.uses < b.uses_max)), 0) as room
  from mandates m join mandate_budgets b on b.tenant_id = m.tenant_id and b.mandate_id = m.id
  where m.parent_id is null and m.state <> 'revoked'
    and coalesce(m.narrowed_until, m.expires_at) > ${sqlTime(now)}
    and b.spent < b.cap and (b.uses_max is null or b.uses < b.uses_max or b.held > 0)
  group by m.currency order by sum(b.cap) desc, m.currency`);
