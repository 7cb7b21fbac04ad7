-- Many agents of the tenant that is set, in one statement. One after the other, so that each is admitted by what stands
-- before it (`admit_agent`).
create function insert_agents(given jsonb) returns void language plpgsql as $$
declare
  own constant text := current_setting('remit.tenant');
  one record;
begin
  for one in select * from jsonb_to_recordset(given) as g(id text, name text, email text, agent_type text, version text,
      capabilities text[], owner text, deployment_env text, is_public boolean, scopes text[], assertion_jwk jsonb,
      dpop_jwk jsonb, dpop_thumbprint text, status text, created_at timestamptz) loop
    insert into agents (tenant_id, id, name, name_key, email, agent_type, version, capabilities, owner, deployment_env,
      is_public, scopes, assertion_jwk, dpop_jwk, dpop_thumbprint, created_at, updated_at)
    values (own, one.id, one.name, lower(one.name), one.email, one.agent_type, one.version, one.capabilities, one.owner,
      one.deployment_env, one.is_public, one.scopes, one.assertion_jwk, one.dpop_jwk, one.dpop_thumbprint, one.created_at,
      one.created_at);
    insert into agent_capabilities (tenant_id, capability, agent_id) select own, c, one.id from unnest(one.capabilities) as c;
    insert into agent_standings (agent_id, tenant_id, status, dpop_thumbprint, changed_at)
    values (one.id, own, one.status, one.dpop_thumbprint, one.created_at);
  end loop;
end $$;

-- Events that are new, for the log and the outbox: each stands in both.
create function record_events(audit jsonb, events jsonb) returns void language plpgsql as $$
begin
  perform record_audit_rows(audit);
  insert into outbox (id, type, version, at, tenant_id, actor, subject, payload, retention)
  select e.id, e.type, e.version, e.at, e.tenant_id, e.actor, e.subject, e.payload, e.retention
  from jsonb_to_recordset(events) as e(id text, type text, version integer, at timestamptz, tenant_id text, actor jsonb,
    subject text, payload jsonb, retention text);
end $$;

revoke all on function insert_agents(jsonb), record_events(jsonb, jsonb) from public;
grant execute on function insert_agents(jsonb), record_events(jsonb, jsonb) to :"app";
