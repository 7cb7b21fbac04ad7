-- What the token endpoint does for many requests at once. Each function runs with the rights of its caller and enters
-- one tenant after the other, as the application does: row-level security holds inside.

-- Audit rows of any tenants, each with its place in the queue; those that stood there before are passed over.
create function record_audit_rows(given jsonb) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  for tenant in select distinct r.tenant_id from jsonb_to_recordset(given) as r(tenant_id text) loop
    perform set_config('remit.tenant', tenant, true);
    with recorded as (
      insert into audit_rows (tenant_id, event_id, at, event, subject, body, digest)
      select r.tenant_id, r.event_id, r.at, r.event, r.subject, r.body, decode(r.digest, 'hex')
      from jsonb_to_recordset(given) as r(tenant_id text, event_id text, at timestamptz, event text, subject text,
        body text, digest text)
      where r.tenant_id = tenant
      on conflict do nothing
      returning tenant_id, event_id)
    insert into audit_queue (tenant_id, event_id) select recorded.tenant_id, recorded.event_id from recorded;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;
revoke all on function record_audit_rows(jsonb) from public;
grant execute on function record_audit_rows(jsonb) to :"app";

-- Which versions of the rows about a client are current: null when there is none. Rows are versioned by the transaction
-- that wrote them (xmin), so that any change of any column, by anybody, is seen.
create function client_stamp(client text) returns text language sql stable as $$
  select concat_ws(' ', c.xmin, a.xmin, s.xmin)
  from clients c
    left join agents a on a.tenant_id = c.tenant_id and a.id = c.id
    left join agent_standings s on s.agent_id = c.id
  where c.id = client
$$;

-- Of clients that are known as of a stamp, those that have changed since.
create function changed_clients(tenants text[], ids text[], stamps text[]) returns text[] language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
  changed text[] := '{}';
begin
  for tenant in select distinct t from unnest(tenants) as t loop
    perform set_config('remit.tenant', tenant, true);
    changed := changed || array(
      select known.id from unnest(tenants, ids, stamps) as known(tenant_id, id, stamp)
      where known.tenant_id = tenant and known.stamp is distinct from client_stamp(known.id));
  end loop;
  perform set_config('remit.tenant', before, true);
  return changed;
end $$;
revoke all on function client_stamp(text), changed_clients(text[], text[], text[]) from public;
grant execute on function client_stamp(text), changed_clients(text[], text[], text[]) to :"app";
