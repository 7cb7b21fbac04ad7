-- The stamps of many clients in one look: a function that is called for each of them costs more than what it reads.
create function client_stamps(ids text[]) returns table (id text, stamp text) language sql stable as $$
  select c.id, concat_ws(' ', c.xmin, a.xmin, s.xmin, t.xmin, o.xmin)
  from clients c
    left join agents a on a.tenant_id = c.tenant_id and a.id = c.id
    left join agent_standings s on s.agent_id = c.id
    left join tenants t on t.tenant_id = c.tenant_id
    left join tenant_standings o on o.tenant_id = c.tenant_id
  where c.id = any (ids)
$$;

create or replace function client_stamp(client text) returns text language sql stable as $$
  select stamp from client_stamps(array[client])
$$;

create or replace function changed_clients(tenants text[], ids text[], stamps text[]) returns text[] language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
  changed text[] := '{}';
begin
  for tenant in select distinct t from unnest(tenants) as t loop
    perform set_config('remit.tenant', tenant, true);
    changed := changed || array(
      select known.id from unnest(tenants, ids, stamps) as known(tenant_id, id, stamp)
        left join client_stamps(ids) as now on now.id = known.id
      where known.tenant_id = tenant and known.stamp is distinct from now.stamp);
  end loop;
  perform set_config('remit.tenant', before, true);
  return changed;
end $$;
revoke all on function client_stamps(text[]) from public;
grant execute on function client_stamps(text[]) to :"app";
