-- What an operator knows of an agent, and how many a tenant may have.

alter table agents
  -- An agent that is registered without keys proves itself by a secret.
  alter column assertion_jwk drop not null,
  alter column dpop_jwk drop not null,
  alter column dpop_thumbprint drop not null,
  add column email text collate "C",
  add column agent_type text not null default 'custom' collate "C" check (agent_type in
    ('screener', 'classifier', 'orchestrator', 'extractor', 'summarizer', 'router', 'monitor', 'custom')),
  add column version text not null default '0.0.0',
  add column capabilities text[] not null default '{}',
  add column owner text collate "C",
  add column deployment_env text not null default 'production' collate "C"
    check (deployment_env in ('development', 'staging', 'production')),
  -- What its own tokens may carry; the client of an agent says nothing of it.
  add column scopes text[] not null default '{oid4ac:payment}',
  add column is_public boolean not null default false,
  -- Lower case: what a search compares with.
  add column name_key text collate "C",
  add column updated_at timestamptz,
  -- Who signs assertions has its tokens bound to a key.
  add constraint agents_keys_check check (
    (dpop_jwk is null) = (dpop_thumbprint is null) and (assertion_jwk is null or dpop_jwk is not null));
alter table agents no force row level security;
update agents set name_key = lower(name), updated_at = created_at;
alter table agents force row level security;
alter table agents alter column name_key set not null, alter column updated_at set not null;
create unique index agents_email on agents (tenant_id, email);
-- Every list is in the order of ids, newest first.
create index agents_by_owner on agents (tenant_id, owner, id);
create index agents_by_type on agents (tenant_id, agent_type, id);
create index agents_by_env on agents (tenant_id, deployment_env, id);
create index agents_by_name on agents (tenant_id, name_key, id);

-- By capability: operators on arrays may not look behind row-level security, equality may.
create table agent_capabilities (
  tenant_id text not null collate "C",
  capability text not null collate "C",
  agent_id text not null collate "C",
  primary key (tenant_id, capability, agent_id),
  foreign key (tenant_id, agent_id) references agents (tenant_id, id)
);
create index agent_capabilities_of_agent on agent_capabilities (tenant_id, agent_id);
call remit_tenant_table('agent_capabilities');
grant select, insert, delete on agent_capabilities to :"app";

-- Which mandates an agent was given, whoever's they are.
create index oauth_grants_with_mandate on oauth_grants (client_id, mandate_id) where mandate_id is not null;

alter table agent_standings alter column dpop_thumbprint drop not null;
create index agent_standings_by_status on agent_standings (tenant_id, status, agent_id);

-- How many agents that are not decommissioned the tenant may have; null is any number.
alter table tenants add column max_agents integer check (max_agents >= 0);

-- Those who register in a tenant with a maximum wait for each other, so that each counts those before it. Whoever sets
-- the maximum takes the first lock alone, and so waits for those who saw none.
create function admit_agent() returns trigger language plpgsql as $$
declare
  most integer;
begin
  perform pg_advisory_xact_lock_shared(hashtextextended('agents ' || new.tenant_id, 0));
  select max_agents into most from tenants where tenant_id = new.tenant_id;
  if most is null then return new; end if;
  perform pg_advisory_xact_lock(hashtextextended('agents counted ' || new.tenant_id, 0));
  if (select count(*) from (select from agent_standings s where s.tenant_id = new.tenant_id
      and s.status in ('active', 'suspended') limit most) as live) >= most then
    raise exception 'the tenant has as many agents as it may' using errcode = 'check_violation', constraint = 'agents_max';
  end if;
  return new;
end $$;
create trigger admit_agent before insert on agents for each row execute function admit_agent();
