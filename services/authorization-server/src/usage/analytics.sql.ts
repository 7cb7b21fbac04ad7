import type { Id, Instant } from "@remit/kernel";
import { type Sql, sql, sqlTime, type TenantTx } from "@remit/platform/sql";

export async function findZone(tx: Sql): Promise<string> {
  return (await tx.maybe<{ zone: string }>(sql`select time_zone as zone from usage_settings`))?.zone ?? "UTC";
}

/** False when PostgreSQL knows no such zone. */
export async function saveZone(tx: TenantTx, zone: string): Promise<boolean> {
  const { count } = await tx.run(sql`
    insert into usage_settings (tenant_id, time_zone)
    select ${tx.tenant}, name from pg_timezone_names where name = ${zone}
    on conflict (tenant_id) do update set time_zone = excluded.time_zone`);
  return count === 1;
}

export type Day = { readonly date: string; readonly tokens: bigint; readonly calls: bigint };

/** Each of the last days of the zone, today included, also those on which nothing was used. */
export const daysUntil = (tx: Sql, of: { zone: string; days: number; now: Instant }): Promise<Day[]> =>
  tx.many<Day>(sql`
    with span as (select (${sqlTime(of.now)}::timestamptz at time zone ${of.zone})::date as today),
    dates as (select (today - back)::date as date from span, generate_series(${of.days - 1}::integer, 0, -1) as back),
    used as (
      select (u.quarter at time zone ${of.zone})::date as date, sum(u.tokens) as tokens, sum(u.calls) as calls
      from usage_quarters u, span
      where u.quarter >= ((today - ${of.days - 1}::integer)::timestamp at time zone ${of.zone})
        and u.quarter < ((today + 1)::timestamp at time zone ${of.zone})
      group by 1)
    select d.date::text as date, coalesce(u.tokens, 0)::bigint as tokens, coalesce(u.calls, 0)::bigint as calls
    from dates d left join used u using (date) order by d.date`);

export type Hour = { readonly day: number; readonly hour: number; readonly tokens: bigint };

/** Each hour of each day of a week (0 is Sunday), also those in which nothing was used. */
export const hoursUntil = (tx: Sql, of: { zone: string; days: number; now: Instant }): Promise<Hour[]> =>
  tx.many<Hour>(sql`
    with span as (select (${sqlTime(of.now)}::timestamptz at time zone ${of.zone})::date as today),
    used as (
      select extract(dow from u.quarter at time zone ${of.zone})::integer as day,
        extract(hour from u.quarter at time zone ${of.zone})::integer as hour, sum(u.tokens) as tokens
      from usage_quarters u, span
      where u.quarter >= ((today - ${of.days - 1}::integer)::timestamp at time zone ${of.zone})
        and u.quarter < ((today + 1)::timestamp at time zone ${of.zone})
      group by 1, 2)
    select d as day, h as hour, coalesce(u.tokens, 0)::bigint as tokens
    from generate_series(0, 6) as d cross join generate_series(0, 23) as h
      left join used u on u.day = d and u.hour = h
    order by d, h`);

export type AgentUse = {
  readonly id: Id<"agent">;
  readonly name: string;
  readonly status: string;
  readonly tokens: bigint;
  readonly last: Instant;
};

/** The agents that got most in a month (`2026-11`). */
export const agentsIn = (tx: Sql, of: { month: string; limit: number }): Promise<AgentUse[]> =>
  tx.many<AgentUse>(sql`
    select u.agent_id as id, a.name, s.status, sum(u.tokens)::bigint as tokens, max(u.last_at) as last
    from usage_agents u
      join agents a on a.id = u.agent_id
      join agent_standings s on s.agent_id = u.agent_id
    where u.day >= (${of.month} || '-01')::date and u.day < (${of.month} || '-01')::date + interval '1 month'
    group by u.agent_id, a.name, s.status order by tokens desc, id limit ${of.limit}`);

/** The month of a time in a zone. */
export const monthOf = async (tx: Sql, of: { zone: string; now: Instant }): Promise<string> =>
  (
    await tx.one<{ month: string }>(
      sql`select to_char(${sqlTime(of.now)}::timestamptz at time zone ${of.zone}, 'YYYY-MM') as month`,
    )
  ).month;

export type Sums = { readonly tokens: bigint; readonly calls: bigint };

/** What was used since a time. */
export const usedSince = (tx: Sql, from: Instant): Promise<Sums> =>
  tx.one<Sums>(sql`
    select coalesce(sum(tokens), 0)::bigint as tokens, coalesce(sum(calls), 0)::bigint as calls
    from usage_quarters where quarter >= ${sqlTime(from)}::timestamptz`);
