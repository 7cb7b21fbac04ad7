-- A suspended or deleted organization is told nothing: neither what happens meanwhile nor what waited. Its lanes are due
-- again when it acts again.
grant select (tenant_id, status) on tenant_standings to :"relay";

create or replace function start_webhook_attempts(given jsonb, at timestamptz)
returns table (tenant_id text, webhook_id text, lease bigint, delivery_id text, event_id text, attempt integer,
  round integer, due_at timestamptz, body text, url text, secret bytea, former_secret bytea)
language plpgsql as $$
#variable_conflict use_column
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  for tenant in select distinct g.tenant_id from jsonb_to_recordset(given) as g(tenant_id text) loop
    perform set_config('remit.tenant', tenant, true);
    return query
      with lanes as materialized (
        select w.id, l.lease, g.room, w.url, w.secret, case when w.former_until > at then w.former_secret end as former
        from jsonb_to_recordset(given) as g(tenant_id text, webhook_id text, lease bigint, room integer)
          join webhook_lanes l on l.webhook_id = g.webhook_id and l.lease = g.lease
          join webhooks w on w.id = g.webhook_id and w.active
          join tenant_standings o on o.tenant_id = tenant and o.status = 'active'
        where g.tenant_id = tenant),
      due as materialized (
        select lanes.*, d.id as delivery_id, d.attempts, d.lease as left_by, d.next_at
        from lanes cross join lateral (
          select d.id, d.attempts, d.lease, d.next_at from webhook_deliveries d
          where d.tenant_id = tenant and d.webhook_id = lanes.id and d.status = 'pending' and d.next_at <= at
            and d.lease < lanes.lease
          order by d.next_at limit lanes.room for update) d),
      lost as (
        insert into webhook_attempts (tenant_id, delivery_id, attempt, at, url, error)
        select tenant, due.delivery_id, due.attempts, at, due.url, 'worker_lost' from due where due.left_by > 0
        on conflict do nothing),
      started as (
        update webhook_deliveries d set attempts = d.attempts + 1, round = d.round + 1, lease = due.lease
        from due where d.tenant_id = tenant and d.id = due.delivery_id
        returning d.id, d.event_id, d.attempts, d.round)
      select tenant, due.id, due.lease, started.id, started.event_id, started.attempts, started.round, due.next_at,
        e.body, due.url, due.secret, due.former
      from started join due on due.delivery_id = started.id
        join webhook_events e on e.tenant_id = tenant and e.id = started.event_id;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

create or replace function release_webhook_lanes(given jsonb) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  perform from webhook_lanes l
    where l.webhook_id in (select g.webhook_id from jsonb_to_recordset(given) as g(webhook_id text))
    order by l.webhook_id for update;
  for tenant in select distinct g.tenant_id from jsonb_to_recordset(given) as g(tenant_id text) loop
    perform set_config('remit.tenant', tenant, true);
    update webhook_lanes l set leased_until = null, held_until = g.held_until,
      due_at = least(l.due_at, coalesce(
        (select min(d.next_at) from webhook_deliveries d
          where d.tenant_id = tenant and d.webhook_id = l.webhook_id and d.status = 'pending'
            and exists (select from webhooks w where w.tenant_id = tenant and w.id = l.webhook_id and w.active)
            and exists (select from tenant_standings o where o.tenant_id = tenant and o.status = 'active')),
        'infinity'))
    from jsonb_to_recordset(given) as g(tenant_id text, webhook_id text, lease bigint, held_until timestamptz)
    where g.tenant_id = tenant and l.webhook_id = g.webhook_id and l.lease = g.lease;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;
