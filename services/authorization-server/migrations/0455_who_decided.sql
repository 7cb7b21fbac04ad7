-- Whoever decided that an organization does not act, or how many agents it may have, is recorded, and the decision
-- descends to the organizations it made: neither a maker nor a child goes round it.
alter table tenant_standings rename column status to decided;
alter table tenant_standings
  -- Whose decision it is that this organization does not act.
  add column decided_by text collate "C",
  -- The nearest above it that does not act; it does not act either.
  add column held_by text collate "C",
  -- How many agents that are not decommissioned it and those below it may have together; null is any number.
  add column max_agents integer check (max_agents >= 0),
  add column max_agents_by text collate "C";
alter table tenant_standings
  add column status text not null generated always as
    (case when decided = 'active' and held_by is not null then 'suspended' else decided end) stored;
revoke select (decided) on tenant_standings from :"relay";
grant select (status) on tenant_standings to :"relay";

-- Nobody wrote down who decided what stands already: the operator may change it.
update tenant_standings set decided_by = 'org_00000000000000000000000000' where decided <> 'active';
alter table tenants no force row level security;
update tenant_standings s set max_agents = t.max_agents, max_agents_by = 'org_00000000000000000000000000'
  from tenants t where t.tenant_id = s.tenant_id and t.max_agents is not null;
alter table tenants force row level security;
alter table tenants drop column max_agents;
alter table tenant_standings
  add check ((decided = 'active') = (decided_by is null)),
  add check ((max_agents is null) = (max_agents_by is null));

-- An organization and those above it, highest first.
create function organizations_above(tenant text) returns setof text language sql stable as $$
  with recursive above(id, made_by, distance) as (
    select tenant_id, made_by, 0 from tenant_standings where tenant_id = tenant
    union all
    select o.tenant_id, o.made_by, distance + 1 from above join tenant_standings o on o.tenant_id = above.made_by)
  select id from above order by distance desc
$$;

-- An organization and all below it.
create function organizations_below(tenant text) returns setof text language sql stable as $$
  with recursive below(id) as (
    select tenant collate "C"
    union all
    select o.tenant_id from below join tenant_standings o on o.made_by = below.id)
  select id from below
$$;

-- How many agents that are not decommissioned an organization and those below it have; counting stops at `most`.
create function count_agents(tenant text, most integer) returns integer language sql stable as $$
  select count(*)::integer from (
    select from organizations_below(tenant) as below
      join agent_standings s on s.tenant_id = below and s.status in ('active', 'suspended') limit most) as live
$$;

-- Those who register under an organization with a maximum wait for each other, so that each counts those before it.
-- Whoever sets a maximum takes the first lock alone, and so waits for those who saw none. Locks go from the top down.
create or replace function admit_agent() returns trigger language plpgsql as $$
declare
  limited record;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('agents ' || above, 0))
    from organizations_above(new.tenant_id) as above;
  for limited in
    select o.tenant_id, o.max_agents from organizations_above(new.tenant_id) with ordinality as above(id, place)
      join tenant_standings o on o.tenant_id = above.id where o.max_agents is not null order by above.place
  loop
    perform pg_advisory_xact_lock(hashtextextended('agents counted ' || limited.tenant_id, 0));
    if count_agents(limited.tenant_id, limited.max_agents) >= limited.max_agents then
      raise exception 'the tenant has as many agents as it may' using errcode = 'check_violation', constraint = 'agents_max';
    end if;
  end loop;
  return new;
end $$;
