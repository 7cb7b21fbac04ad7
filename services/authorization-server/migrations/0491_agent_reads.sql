-- Reads of single agents, of many tenants in one round trip. With the rights of its caller it enters one tenant after the
-- other, so that row-level security decides what each of them sees; what it sets ends with its statement.
create function read_agents(tenants text[], ids text[])
returns table (tenant_id text, id text, name text, email text, agent_type text, version text, capabilities text[],
  owner text, deployment_env text, is_public boolean, scopes text[], assertion_jwk jsonb, dpop_jwk jsonb,
  dpop_thumbprint text, created_at timestamptz, updated_at timestamptz, status text)
language plpgsql as $$
#variable_conflict use_column
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  for tenant in select distinct t from unnest(tenants) as t loop
    perform set_config('remit.tenant', tenant, true);
    return query
      select a.tenant_id, a.id, a.name, a.email, a.agent_type, a.version, a.capabilities, a.owner, a.deployment_env,
        a.is_public, a.scopes, a.assertion_jwk, a.dpop_jwk, a.dpop_thumbprint, a.created_at, a.updated_at, s.status
      from unnest(tenants, ids) as g(of_tenant, wanted)
        join agents a on a.tenant_id = tenant and a.id = g.wanted
        join agent_standings s on s.agent_id = a.id
      where g.of_tenant = tenant;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;
