-- What plans allow, and what of it is used. Billing owns which plan an organization has; this is the copy that is
-- enforced. Null is any number, everywhere.

-- The installation's word: whether limits refuse at all, and what an organization may of which billing said nothing.
create table plan_rules (
  one boolean primary key default true check (one),
  enforced boolean not null,
  max_agents bigint,
  max_calls_per_day bigint,
  max_tokens_per_day bigint,
  max_tokens_per_month bigint,
  max_requests_per_minute bigint
);
insert into plan_rules (enforced) values (false);
grant select, update on plan_rules to :"app";

create table plans (
  tenant_id text not null collate "C",
  tier text not null check (tier in ('free', 'pro', 'enterprise')),
  -- Billing's: a copy with a smaller one is old news.
  version bigint not null check (version > 0),
  max_agents bigint check (max_agents >= 0),
  max_calls_per_day bigint check (max_calls_per_day >= 0),
  max_tokens_per_day bigint check (max_tokens_per_day >= 0),
  max_tokens_per_month bigint check (max_tokens_per_month >= 0),
  max_requests_per_minute bigint check (max_requests_per_minute >= 0),
  changed_at timestamptz not null,
  primary key (tenant_id)
);
call remit_tenant_table('plans');
grant select, insert, update on plans to :"app";

-- How much processes have taken of the running day, month and minute (UTC), in slices that they use up without asking.
-- One row for each organization, whose windows roll on: nothing here grows with history.
create table plan_allowances (
  tenant_id text not null collate "C",
  day date not null,
  calls_today bigint not null default 0 check (calls_today >= 0),
  tokens_today bigint not null default 0 check (tokens_today >= 0),
  month date not null,
  tokens_month bigint not null default 0 check (tokens_month >= 0),
  minute timestamptz not null,
  requests_minute bigint not null default 0 check (requests_minute >= 0),
  -- By the database's clock: when a slice of tokens was last given.
  tokens_given_at timestamptz not null default '-infinity',
  primary key (tenant_id)
) with (fillfactor = 50);
call remit_tenant_table('plan_allowances');
grant select, insert, update on plan_allowances to :"app";

-- What was used, by quarters of an hour: every time zone's days begin with one.
create table usage_quarters (
  tenant_id text not null collate "C",
  quarter timestamptz not null,
  calls bigint not null default 0,
  tokens bigint not null default 0,
  primary key (tenant_id, quarter)
);
call remit_tenant_table('usage_quarters');
grant select, insert, update, delete on usage_quarters to :"app";

-- Global: how far the outbox is counted into the tables above, and until when there was nothing left to count.
create table usage_metered (
  one boolean primary key default true check (one),
  xid xid8 not null default '0',
  seq bigint not null default 0,
  caught_up_at timestamptz not null default '-infinity'
);
insert into usage_metered default values;
grant select, update on usage_metered to :"app";

-- What the plan of the tenant that is set allows; as in plan_rules where billing said nothing. The platform has no limit.
create function plan_limits() returns plans language plpgsql stable as $$
declare
  own plans;
begin
  select * into own from plans;
  if found then return own; end if;
  if current_setting('remit.tenant', true) = 'org_00000000000000000000000000' then
    own.tier := 'enterprise';
    return own;
  end if;
  select 'free', r.max_agents, r.max_calls_per_day, r.max_tokens_per_day, r.max_tokens_per_month,
    r.max_requests_per_minute
  into own.tier, own.max_agents, own.max_calls_per_day, own.max_tokens_per_day, own.max_tokens_per_month,
    own.max_requests_per_minute
  from plan_rules r;
  return own;
end $$;

-- As many agents as plans and whoever governs organizations allow (C13): an organization's own, and those above it,
-- whose plans cover what is below them too. Those who register wait for each other, so that each counts those before it;
-- whoever changes a limit takes the first lock alone. Locks go from the top down.
create or replace function admit_agent() returns trigger language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  planned constant boolean := (select r.enforced from plan_rules r);
  above record;
  most bigint;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('agents ' || a, 0)) from organizations_above(new.tenant_id) as a;
  for above in
    select o.tenant_id, o.max_agents from organizations_above(new.tenant_id) with ordinality as a(id, place)
      join tenant_standings o on o.tenant_id = a.id order by a.place
  loop
    most := above.max_agents;
    if planned then
      perform set_config('remit.tenant', above.tenant_id, true);
      most := least(most, (plan_limits()).max_agents, 2147483647);
      perform set_config('remit.tenant', before, true);
    end if;
    continue when most is null or most = 2147483647;
    perform pg_advisory_xact_lock(hashtextextended('agents counted ' || above.tenant_id, 0));
    if count_agents(above.tenant_id, most::integer) >= most then
      raise exception 'the tenant has as many agents as it may' using errcode = 'check_violation', constraint = 'agents_max';
    end if;
  end loop;
  return new;
end $$;

-- How much of a window may be taken at once: little enough that what three processes hold unused is within 1 % of the
-- limit, and one at a time near its end. 0 is nothing left; null is no limit.
create function plan_slice(most bigint, used bigint, parts integer) returns bigint language sql immutable as $$
  select case when most is null then null
    when used >= most then 0
    else least(greatest(most / parts, 1), greatest((most - used) / 8, 1)) end
$$;

-- Gives slices, and takes back what was not used: [{place, tenant, kind: 'token' | 'call', unused, taken_at}], where a
-- `taken_at` of null takes nothing back and `wanted` of 0 asks for nothing. Answers each place with what was given
-- (null: any number), and with the window that is used up when that is 0. One tenant after the other, in their order.
create function take_slices(given jsonb, now timestamptz)
  returns table (place integer, slice bigint, spent_window text, most bigint, used bigint) language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  today constant date := (now at time zone 'UTC')::date;
  this_month constant date := date_trunc('month', now at time zone 'UTC')::date;
  this_minute constant timestamptz := date_trunc('minute', now);
  asked record;
  plan plans;
  allowance plan_allowances;
  held bigint;
begin
  for asked in select * from jsonb_to_recordset(given)
      as a(place integer, tenant text, kind text, wanted bigint, unused bigint, taken_at timestamptz)
      order by a.tenant collate "C", a.kind loop
    perform set_config('remit.tenant', asked.tenant, true);
    insert into plan_allowances (tenant_id, day, month, minute) values (asked.tenant, today, this_month, this_minute)
      on conflict do nothing;
    select * into allowance from plan_allowances for no key update;
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
        update usage_quarters u set calls = u.calls - held
          where u.quarter = date_bin('15 minutes', asked.taken_at, 'epoch');
      end if;
    end if;

    place := asked.place; slice := 0; spent_window := null; most := null; used := null;
    if asked.wanted > 0 then
      select * into plan from plan_limits();
      if asked.kind = 'token' and (allowance.tokens_today >= plan.max_tokens_per_day
          or allowance.tokens_month >= plan.max_tokens_per_month) then
        allowance := plan_settled(allowance);
      end if;
      slice := least(
        case asked.kind when 'token' then plan_slice(plan.max_tokens_per_day, allowance.tokens_today, 512)
          else plan_slice(plan.max_calls_per_day, allowance.calls_today, 512) end,
        case asked.kind when 'token' then plan_slice(plan.max_tokens_per_month, allowance.tokens_month, 512) end,
        plan_slice(plan.max_requests_per_minute, allowance.requests_minute, 1024));
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
          insert into usage_quarters as u (tenant_id, quarter, calls)
            values (asked.tenant, date_bin('15 minutes', now, 'epoch'), held)
            on conflict (tenant_id, quarter) do update set calls = u.calls + excluded.calls;
        end if;
      end if;
    end if;
    update plan_allowances b set day = allowance.day, calls_today = allowance.calls_today, tokens_today = allowance.tokens_today,
      month = allowance.month, tokens_month = allowance.tokens_month, minute = allowance.minute,
      requests_minute = allowance.requests_minute, tokens_given_at = allowance.tokens_given_at
      where b.tenant_id = asked.tenant;
    return next;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

-- An allowance of tokens that is used up, held against what was really issued: what died with a process comes back. Only
-- while no slice can be in use (they live 5 s) and everything that was issued under one has been counted.
create function plan_settled(allowance plan_allowances) returns plan_allowances language plpgsql as $$
begin
  if allowance.tokens_given_at > clock_timestamp() - interval '15 s'
    or not exists (select from usage_metered m where m.caught_up_at > allowance.tokens_given_at + interval '10 s') then
    return allowance;
  end if;
  select coalesce(sum(u.tokens) filter (where u.quarter >= allowance.day::timestamp at time zone 'UTC'), 0),
    coalesce(sum(u.tokens), 0)
  into allowance.tokens_today, allowance.tokens_month from usage_quarters u
  where u.quarter >= allowance.month::timestamp at time zone 'UTC';
  return allowance;
end $$;

-- Counts what was issued: [{tenant, quarter, tokens}].
create function meter_tokens(given jsonb) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  one text;
begin
  for one in select distinct g.tenant from jsonb_to_recordset(given) as g(tenant text) order by 1 loop
    perform set_config('remit.tenant', one, true);
    insert into usage_quarters as u (tenant_id, quarter, tokens)
      select g.tenant, g.quarter, g.tokens
      from jsonb_to_recordset(given) as g(tenant text, quarter timestamptz, tokens bigint) where g.tenant = one
      on conflict (tenant_id, quarter) do update set tokens = u.tokens + excluded.tokens;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

revoke all on function plan_limits(), plan_slice(bigint, bigint, integer), take_slices(jsonb, timestamptz),
  plan_settled(plan_allowances), meter_tokens(jsonb) from public;
grant execute on function plan_limits(), plan_slice(bigint, bigint, integer), take_slices(jsonb, timestamptz),
  plan_settled(plan_allowances), meter_tokens(jsonb) to :"app";
