-- What was used, kept per tenant as it is counted, so that no question scans the log.

drop function meter_tokens(jsonb);

-- In whose days and hours a tenant looks at its use; UTC without a row.
create table usage_settings (
  tenant_id text not null collate "C",
  time_zone text not null,
  primary key (tenant_id)
);
call remit_tenant_table('usage_settings');
grant select, insert, update on usage_settings to :"app";

-- Tokens that an agent got, by days of the tenant's zone as it was then.
create table usage_agents (
  tenant_id text not null collate "C",
  day date not null,
  agent_id text not null collate "C",
  tokens bigint not null,
  last_at timestamptz not null,
  primary key (tenant_id, day, agent_id)
);
call remit_tenant_table('usage_agents');
grant select, insert, update on usage_agents to :"app";

-- Counts what was issued: [{tenant, quarter, client, tokens, last_at}]. Whoever calls it has seen to it that nothing is
-- counted twice (usage_metered).
create function meter_usage(given jsonb) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  one text;
  zone text;
begin
  for one in select distinct g.tenant from jsonb_to_recordset(given) as g(tenant text) order by 1 loop
    perform set_config('remit.tenant', one, true);
    zone := coalesce((select s.time_zone from usage_settings s), 'UTC');
    insert into usage_quarters as u (tenant_id, quarter, tokens)
      select g.tenant, g.quarter, sum(g.tokens)
      from jsonb_to_recordset(given) as g(tenant text, quarter timestamptz, tokens bigint)
      where g.tenant = one group by g.tenant, g.quarter
      -- As take_slices does: who locks quarters in another order may wait for it, and it for them.
      order by g.quarter
      on conflict (tenant_id, quarter) do update set tokens = u.tokens + excluded.tokens;
    insert into usage_agents as u (tenant_id, day, agent_id, tokens, last_at)
      select g.tenant, (g.quarter at time zone zone)::date, g.client, sum(g.tokens), max(g.last_at)
      from jsonb_to_recordset(given) as
        g(tenant text, quarter timestamptz, client text, tokens bigint, last_at timestamptz)
      where g.tenant = one and g.client like 'agt\_%' group by 1, 2, 3
      order by 2, 3
      on conflict (tenant_id, day, agent_id) do update set tokens = u.tokens + excluded.tokens,
        last_at = greatest(u.last_at, excluded.last_at);
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;
revoke all on function meter_usage(jsonb) from public;
grant execute on function meter_usage(jsonb) to :"app";
