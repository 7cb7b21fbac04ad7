-- The agents that a principal's tenant has given mandates to, and its brake on each; '*' is the brake on all of them. A row
-- is there before the first mandate is: whoever gives one and whoever brakes meet at it.
create table principals_agents (
  tenant_id text not null collate "C",
  agent_id text not null collate "C",
  known_at timestamptz not null,
  frozen_at timestamptz,
  primary key (tenant_id, agent_id)
);
call remit_tenant_table('principals_agents');
grant select, insert, update on principals_agents to :"app";

-- The owner sees nothing under forced row-level security.
alter table mandates no force row level security;
alter table principals_agents no force row level security;
insert into principals_agents (tenant_id, agent_id, known_at)
  select tenant_id, agent_id, min(issued_at) from mandates group by tenant_id, agent_id;
alter table mandates force row level security;
alter table principals_agents force row level security;

-- A frozen mandate is as a suspended one, whatever it would be without: neither lifts the other.
alter table mandates add column frozen_at timestamptz;

-- In which tenants an agent holds mandates, whoever gave them: an agent asks for its own, and its end reaches all of them.
create index mandates_by_agent on mandates (agent_id, tenant_id);
grant select (tenant_id, agent_id) on mandates to :"lookup";
grant create on schema :"schema" to :"lookup";
create function tenants_of_mandates_of(agent text) returns setof text
language sql stable security definer set search_path = :"schema", pg_temp as
  $$ select distinct tenant_id from mandates where agent_id = $1 $$;
revoke all on function tenants_of_mandates_of(text) from public;
grant execute on function tenants_of_mandates_of(text) to :"app";
alter function tenants_of_mandates_of(text) owner to :"lookup";
revoke create on schema :"schema" from :"lookup";

-- A wallet looks through its charges by when they were, and by whom they paid.
create index charges_by_time on charges (tenant_id, created_at, id);
create index charges_by_merchant on charges (tenant_id, merchant_id, created_at, id);
