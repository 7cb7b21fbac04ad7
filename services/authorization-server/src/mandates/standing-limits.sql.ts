import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, type TenantTx } from "@remit/platform/sql";
import type { StandingLimit, StandingPlace, StandingUse } from "./standing-limits.ts";

const nameOf = ({ agent }: StandingPlace): string => agent ?? "";

/** Counts a hold by database time; false when the period has no room. */
export async function countInPeriod(tx: TenantTx, limit: StandingLimit, amount: bigint): Promise<boolean> {
  const amountMax = limit.amount === undefined ? null : String(limit.amount);
  const usesMax = limit.count ?? null;
  const { count } = await tx.run(sql`insert into standing_windows as w
      (tenant_id, agent_id, currency, period, zone, opens_at, amount, uses)
    select ${tx.tenant}, ${nameOf(limit)}, ${limit.currency}, ${limit.period}, ${limit.zone},
      mandate_window(${limit.period}, ${limit.zone}, now()), ${String(amount)}::numeric, 1
    where ${amountMax}::numeric is null or ${String(amount)}::numeric <= ${amountMax}::numeric
    on conflict (tenant_id, agent_id, currency, period, zone, opens_at) do update
      set amount = w.amount + excluded.amount, uses = w.uses + 1
      where (${amountMax}::numeric is null or w.amount + excluded.amount <= ${amountMax}::numeric)
        and (${usesMax}::integer is null or w.uses + 1 <= ${usesMax}::integer)`);
  return count === 1;
}

/** What a hold no longer takes leaves every period that it counts in, locked in the order in which holds lock them. */
export async function giveBackToPeriods(
  tx: Sql,
  charge: Id<"charge">,
  { amount, uses }: { readonly amount: bigint; readonly uses: number },
): Promise<void> {
  await tx.run(sql`with taken as (
      select h.taken_at, m.currency, array(
        select a.agent_id from mandates a where a.id = h.mandate_id
          or a.id in (select l.mandate_id from mandate_hold_links l where l.charge_id = h.charge_id)) as agents
      from mandate_holds h join mandates m on m.tenant_id = h.tenant_id and m.id = h.mandate_id
      where h.charge_id = ${charge}
    ), counted as (
      select w.agent_id, w.currency, w.period, w.zone, w.opens_at
      from standing_windows w, taken t
      where w.currency = t.currency and (w.agent_id = '' or w.agent_id = any(t.agents))
        and w.opens_at <= t.taken_at and w.opens_at > t.taken_at - interval '32 days'
        and w.opens_at = mandate_window(w.period, w.zone, t.taken_at)
      order by w.agent_id desc, w.period collate "C" desc, w.zone collate "C" desc
      for no key update of w
    )
    update standing_windows w set amount = w.amount - ${String(amount)}::numeric, uses = w.uses - ${uses}
    from counted c
    where w.agent_id = c.agent_id and w.currency = c.currency and w.period = c.period and w.zone = c.zone
      and w.opens_at = c.opens_at`);
}

export async function deletePeriods(tx: Sql, place: StandingPlace): Promise<void> {
  await tx.run(sql`delete from standing_windows where agent_id = ${nameOf(place)} and currency = ${place.currency}
    and period = ${place.period} and zone = ${place.zone}`);
}

/** What is held now stays so until the transaction ends; who is ending a hold comes before or after. */
export async function keepHolds(tx: Sql): Promise<void> {
  await tx.run(sql`select 1 from mandate_holds where state = 'held'
    and taken_at >= now() - interval '32 days' order by charge_id for share`);
}

/** Counts what was held since the period that is open now began, as if the limit had been there. */
export async function countHolds(tx: TenantTx, place: StandingPlace): Promise<void> {
  await tx.run(sql`insert into standing_windows (tenant_id, agent_id, currency, period, zone, opens_at, amount, uses)
    select ${tx.tenant}, ${nameOf(place)}, ${place.currency}, ${place.period}, ${place.zone},
      mandate_window(${place.period}, ${place.zone}, h.taken_at),
      sum(case h.state when 'held' then h.amount else h.captured end), count(*)
    from mandate_holds h join mandates m on m.tenant_id = h.tenant_id and m.id = h.mandate_id
    where h.state <> 'released' and h.taken_at >= now() - interval '32 days'
      and h.taken_at >= mandate_window(${place.period}, ${place.zone}, now()) and m.currency = ${place.currency}
      and (${nameOf(place)} = '' or m.agent_id = ${nameOf(place)} or exists (
        select from mandate_hold_links l join mandates a on a.tenant_id = l.tenant_id and a.id = l.mandate_id
        where l.charge_id = h.charge_id and a.agent_id = ${nameOf(place)}))
    group by 6`);
}

export async function findPeriod(tx: Sql, place: StandingPlace): Promise<StandingUse> {
  const row = await tx.one<{ opens_at: Instant; amount: string | null; uses: number | null }>(sql`
    select at.opens_at, w.amount, w.uses
    from (select mandate_window(${place.period}, ${place.zone}, now()) as opens_at) at
    left join standing_windows w on w.agent_id = ${nameOf(place)} and w.currency = ${place.currency}
      and w.period = ${place.period} and w.zone = ${place.zone} and w.opens_at = at.opens_at`);
  return { amount: BigInt(row.amount ?? "0"), uses: row.uses ?? 0, opensAt: row.opens_at };
}

/** No charge takes a hold until the transaction ends, and none is under way: each keeps its chain, the root first. */
export async function lockMandates(tx: Sql): Promise<void> {
  await tx.run(
    sql`select 1 from mandates where state <> 'revoked' order by cardinality(ancestors), id for no key update`,
  );
}
