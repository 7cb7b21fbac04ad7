-- An organization without a plan of its own uses the plan of whoever made it, counted together: whoever makes organizations
-- gets no more than one plan for it (decision 0072).

-- Global: those who have a plan that is more than the free one. Ids only.
create table own_plans (tenant_id text not null collate "C" primary key);
grant select, insert, delete on own_plans to :"app";
alter table plans no force row level security;
insert into own_plans select p.tenant_id from plans p where p.tier <> 'free';
alter table plans force row level security;

-- Whose plan an organization uses: its own, or that of the nearest above it that has one, or else of the highest.
create function plan_payer(tenant text) returns text language sql stable as $$
  with recursive above(id, made_by, distance) as (
    select tenant_id, made_by, 0 from tenant_standings where tenant_id = tenant
    union all
    select o.tenant_id, o.made_by, distance + 1 from above join tenant_standings o on o.tenant_id = above.made_by
    where not exists (select from own_plans p where p.tenant_id = above.id)
      and o.tenant_id <> 'org_00000000000000000000000000')
  select coalesce((select id from above order by distance desc limit 1), tenant)
$$;

-- Those who use its plan, itself first.
create function organizations_paid_by(payer text) returns setof text language sql stable as $$
  with recursive below(id) as (
    select payer collate "C"
    union all
    select o.tenant_id from below join tenant_standings o on o.made_by = below.id
    where not exists (select from own_plans p where p.tenant_id = o.tenant_id))
  select id from below
$$;

-- What the plan that an organization uses allows.
create function plan_for(tenant text) returns plans language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  used plans;
begin
  perform set_config('remit.tenant', plan_payer(tenant), true);
  select * into used from plan_limits();
  perform set_config('remit.tenant', before, true);
  return used;
end $$;

-- As many agents as the plan and whoever governs organizations allow (C13). A plan's agents are those of all who use it;
-- those of whoever governs, of all below. Those who register wait for each other, so that each counts those before it;
-- whoever changes a limit takes the first lock alone. Locks go from the top down.
create or replace function admit_agent() returns trigger language plpgsql as $$
declare
  payer constant text := case when (select r.enforced from plan_rules r) then plan_payer(new.tenant_id) end;
  above record;
  planned bigint;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('agents ' || a, 0)) from organizations_above(new.tenant_id) as a;
  if payer is not null then planned := (plan_for(payer)).max_agents; end if;
  for above in
    select o.tenant_id, o.max_agents, case when o.tenant_id = payer then least(planned, 2147483647)::integer end as planned
    from organizations_above(new.tenant_id) with ordinality as a(id, place)
      join tenant_standings o on o.tenant_id = a.id
    where o.max_agents is not null or (o.tenant_id = payer and planned < 2147483647) order by a.place
  loop
    perform pg_advisory_xact_lock(hashtextextended('agents counted ' || above.tenant_id, 0));
    if count_agents(above.tenant_id, above.max_agents) >= above.max_agents or (above.planned < 2147483647
        and (select count(*) from (select from organizations_paid_by(payer) as paid
          join agent_standings s on s.tenant_id = paid and s.status in ('active', 'suspended')
          limit above.planned) as live) >= above.planned) then
      raise exception 'the tenant has as many agents as it may' using errcode = 'check_violation', constraint = 'agents_max';
    end if;
  end loop;
  return new;
end $$;

-- As before, from the allowance of the plan that each uses. Allowances are locked first, all in one order. Of many who share
-- one each gets a smaller slice, so that what all hold unused stays as little.
create or replace function take_slices(given jsonb, now timestamptz)
  returns table (place integer, slice bigint, spent_window text, most bigint, used bigint) language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  today constant date := (now at time zone 'UTC')::date;
  this_month constant date := date_trunc('month', now at time zone 'UTC')::date;
  this_minute constant timestamptz := date_trunc('minute', now);
  one text;
  asked record;
  plan plans;
  allowance plan_allowances;
  held bigint;
  sharing integer;
begin
  for one in select distinct plan_payer(a.tenant) collate "C" from (select distinct g.tenant
      from jsonb_to_recordset(given) as g(tenant text)) as a order by 1 loop
    perform set_config('remit.tenant', one, true);
    insert into plan_allowances (tenant_id, day, month, minute) values (one, today, this_month, this_minute)
      on conflict do nothing;
    perform from plan_allowances for no key update;
  end loop;
  for asked in select a.*, plan_payer(a.tenant) as payer from jsonb_to_recordset(given)
      as a(place integer, tenant text, kind text, wanted bigint, unused bigint, taken_at timestamptz)
      order by a.tenant collate "C", a.kind loop
    perform set_config('remit.tenant', asked.payer, true);
    select * into allowance from plan_allowances;
    -- A clock that lags behind another's counts into the window that has begun.
    if allowance.day < today then
      allowance.day := today; allowance.calls_today := 0; allowance.tokens_today := 0;
    end if;
    if allowance.month < this_month then allowance.month := this_month; allowance.tokens_month := 0; end if;
    if allowance.minute < this_minute then allowance.minute := this_minute; allowance.requests_minute := 0; end if;

    held := 0;
    if asked.taken_at is not null and asked.unused > 0 then
      held := asked.unused;
      if date_trunc('minute', asked.taken_at) = allowance.minute then
        allowance.requests_minute := greatest(allowance.requests_minute - held, 0);
      end if;
      if asked.kind = 'token' then
        if (asked.taken_at at time zone 'UTC')::date = allowance.day then
          allowance.tokens_today := greatest(allowance.tokens_today - held, 0);
        end if;
        if date_trunc('month', asked.taken_at at time zone 'UTC')::date = allowance.month then
          allowance.tokens_month := greatest(allowance.tokens_month - held, 0);
        end if;
      else
        if (asked.taken_at at time zone 'UTC')::date = allowance.day then
          allowance.calls_today := greatest(allowance.calls_today - held, 0);
        end if;
        perform set_config('remit.tenant', asked.tenant, true);
        update usage_quarters u set calls = u.calls - held
          where u.quarter = date_bin('15 minutes', asked.taken_at, 'epoch');
        perform set_config('remit.tenant', asked.payer, true);
      end if;
    end if;

    place := asked.place; slice := 0; spent_window := null; most := null; used := null;
    if asked.wanted > 0 then
      select * into plan from plan_limits();
      if asked.kind = 'token' and (allowance.tokens_today >= plan.max_tokens_per_day
          or allowance.tokens_month >= plan.max_tokens_per_month) then
        allowance := plan_settled(allowance);
      end if;
      sharing := (select count(*) from (select from organizations_paid_by(asked.payer) limit 64) as who);
      slice := least(
        case asked.kind when 'token' then plan_slice(plan.max_tokens_per_day, allowance.tokens_today, 512 * sharing)
          else plan_slice(plan.max_calls_per_day, allowance.calls_today, 512 * sharing) end,
        case asked.kind when 'token' then plan_slice(plan.max_tokens_per_month, allowance.tokens_month, 512 * sharing) end,
        plan_slice(plan.max_requests_per_minute, allowance.requests_minute, 1024 * sharing));
      if slice = 0 then
        if asked.kind = 'token' and allowance.tokens_month >= plan.max_tokens_per_month then
          spent_window := 'tokens_month'; most := plan.max_tokens_per_month; used := allowance.tokens_month;
        elsif asked.kind = 'token' and allowance.tokens_today >= plan.max_tokens_per_day then
          spent_window := 'tokens_day'; most := plan.max_tokens_per_day; used := allowance.tokens_today;
        elsif asked.kind = 'call' and allowance.calls_today >= plan.max_calls_per_day then
          spent_window := 'calls_day'; most := plan.max_calls_per_day; used := allowance.calls_today;
        else
          spent_window := 'requests_minute'; most := plan.max_requests_per_minute; used := allowance.requests_minute;
        end if;
      else
        -- Tokens of whom nothing limits are counted from what was issued; calls have no other record.
        slice := case when slice is null and asked.kind = 'token' then null
          else least(coalesce(slice, asked.wanted), asked.wanted) end;
        held := coalesce(slice, 0);
        allowance.requests_minute := allowance.requests_minute + held;
        if asked.kind = 'token' then
          allowance.tokens_today := allowance.tokens_today + held;
          allowance.tokens_month := allowance.tokens_month + held;
          allowance.tokens_given_at := case when held > 0 then clock_timestamp() else allowance.tokens_given_at end;
          most := plan.max_tokens_per_day; used := allowance.tokens_today;
        else
          allowance.calls_today := allowance.calls_today + held;
          most := plan.max_calls_per_day; used := allowance.calls_today;
          perform set_config('remit.tenant', asked.tenant, true);
          insert into usage_quarters as u (tenant_id, quarter, calls)
            values (asked.tenant, date_bin('15 minutes', now, 'epoch'), held)
            on conflict (tenant_id, quarter) do update set calls = u.calls + excluded.calls;
          perform set_config('remit.tenant', asked.payer, true);
        end if;
      end if;
    end if;
    update plan_allowances b set day = allowance.day, calls_today = allowance.calls_today, tokens_today = allowance.tokens_today,
      month = allowance.month, tokens_month = allowance.tokens_month, minute = allowance.minute,
      requests_minute = allowance.requests_minute, tokens_given_at = allowance.tokens_given_at
      where b.tenant_id = asked.payer;
    return next;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

-- As before, held against what was issued to all who use the plan. Its payer is the tenant that is set.
create or replace function plan_settled(allowance plan_allowances) returns plan_allowances language plpgsql as $$
declare
  one text;
  today bigint;
  month bigint;
begin
  if allowance.tokens_given_at > clock_timestamp() - interval '15 s'
    or not exists (select from usage_metered m where m.caught_up_at > allowance.tokens_given_at + interval '10 s') then
    return allowance;
  end if;
  allowance.tokens_today := 0;
  allowance.tokens_month := 0;
  for one in select * from organizations_paid_by(allowance.tenant_id) loop
    perform set_config('remit.tenant', one, true);
    select coalesce(sum(u.tokens) filter (where u.quarter >= allowance.day::timestamp at time zone 'UTC'), 0),
      coalesce(sum(u.tokens), 0)
    into today, month from usage_quarters u
    where u.quarter >= allowance.month::timestamp at time zone 'UTC';
    allowance.tokens_today := allowance.tokens_today + today;
    allowance.tokens_month := allowance.tokens_month + month;
  end loop;
  perform set_config('remit.tenant', allowance.tenant_id, true);
  return allowance;
end $$;

revoke all on function plan_payer(text), organizations_paid_by(text), plan_for(text) from public;
grant execute on function plan_payer(text), organizations_paid_by(text), plan_for(text) to :"app";
