-- Where a tenant wants to be told of its events. Secrets are ciphertext; the former one counts until `former_until`.
create table webhooks (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null,
  url text not null,
  events text[] not null check (cardinality(events) > 0),
  active boolean not null,
  secret bytea not null,
  former_secret bytea,
  former_until timestamptz,
  -- Failures since the last success, and when the first of them was.
  failure_count integer not null default 0,
  failing_since timestamptz,
  dead_told_at timestamptz,
  disabled_at timestamptz,
  disabled_because text check (disabled_because in ('gone', 'failing')),
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  check ((former_secret is null) = (former_until is null)),
  check ((disabled_at is null) = (disabled_because is null)),
  check (not active or disabled_at is null)
);
call remit_tenant_table('webhooks');
grant select, insert, update, delete on webhooks to :"app";
-- Whoever reads the outbox asks which tenants listen, and to what; it sees no address and no secret.
create policy listening on webhooks for select to :"relay" using (active);
grant select (tenant_id, id, events, active, created_at) on webhooks to :"relay";

-- What is sent, byte for byte, however often and to however many.
create table webhook_events (
  tenant_id text not null collate "C",
  id text not null collate "C",
  type text not null collate "C",
  body text not null,
  created_at timestamptz not null,
  primary key (tenant_id, id)
);
call remit_tenant_table('webhook_events');
grant select, insert on webhook_events to :"app";
create index webhook_events_by_age on webhook_events using brin (created_at);

create table webhook_deliveries (
  tenant_id text not null collate "C",
  id text not null collate "C",
  webhook_id text not null collate "C",
  event_id text not null collate "C",
  type text not null collate "C",
  status text not null default 'pending' check (status in ('pending', 'delivered', 'dead_letter')),
  -- All attempts ever, and those since it was last sent anew.
  attempts integer not null default 0,
  round integer not null default 0,
  next_at timestamptz,
  -- The lease of the lane under which an attempt is under way; 0 when none is.
  lease bigint not null default 0,
  response_status integer,
  error text,
  created_at timestamptz not null,
  ended_at timestamptz,
  primary key (tenant_id, id),
  -- Once per event and webhook, however often the event is read.
  constraint webhook_deliveries_once unique (tenant_id, webhook_id, event_id),
  check ((status = 'pending') = (next_at is not null)),
  check (status = 'pending' or lease = 0)
);
call remit_tenant_table('webhook_deliveries');
create index webhook_deliveries_due on webhook_deliveries (tenant_id, webhook_id, next_at) where status = 'pending';
create index webhook_deliveries_dead on webhook_deliveries (tenant_id, webhook_id, id) where status = 'dead_letter';
create index webhook_deliveries_newest on webhook_deliveries (tenant_id, webhook_id, id);
create index webhook_deliveries_by_age on webhook_deliveries using brin (created_at);
grant select, insert, update on webhook_deliveries to :"app";

create table webhook_attempts (
  tenant_id text not null collate "C",
  delivery_id text not null collate "C",
  attempt integer not null,
  at timestamptz not null,
  duration_ms integer,
  url text not null,
  signature text,
  response_status integer,
  response_body text,
  error text,
  primary key (tenant_id, delivery_id, attempt)
);
call remit_tenant_table('webhook_attempts');
create index webhook_attempts_by_age on webhook_attempts using brin (at);
grant select, insert on webhook_attempts to :"app";

-- Global, ids alone: one lane per webhook. Whoever leases it sends for that webhook, alone; `lease` rises with each taking.
-- `due_at` is when it has something to send, `held_until` until when its receiver asked to be left alone.
create table webhook_lanes (
  webhook_id text not null collate "C" primary key,
  tenant_id text not null collate "C",
  due_at timestamptz not null default 'infinity',
  held_until timestamptz,
  lease bigint not null default 0,
  leased_until timestamptz
);
create index webhook_lanes_due on webhook_lanes (due_at) where leased_until is null;
create index webhook_lanes_left on webhook_lanes (leased_until) where leased_until is not null;
grant select, insert, update, delete on webhook_lanes to :"app";
grant select, update on webhook_lanes to :"relay";

-- What has had its time is swept, whatever its state: 30 days are ten times what ten attempts take.
create policy due on webhook_events to :"relay" using (created_at < now() - interval '30 days');
create policy due on webhook_deliveries to :"relay" using (created_at < now() - interval '30 days');
create policy due on webhook_attempts to :"relay" using (at < now() - interval '30 days');
grant select (tenant_id, id, created_at), delete on webhook_events to :"relay";
grant select (tenant_id, id, created_at), delete on webhook_deliveries to :"relay";
grant select (tenant_id, delivery_id, attempt, at), delete on webhook_attempts to :"relay";

-- The functions below handle rows of many tenants at once. Each runs with the rights of its caller and enters one tenant
-- after the other, as the application does: row-level security holds inside.

-- Events with their deliveries: [{tenant_id, event_id, type, body, deliveries: [{id, webhook_id}]}].
create function insert_webhook_deliveries(given jsonb, at timestamptz) returns void language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  for tenant in select distinct g.tenant_id from jsonb_to_recordset(given) as g(tenant_id text) loop
    perform set_config('remit.tenant', tenant, true);
    insert into webhook_events (tenant_id, id, type, body, created_at)
      select tenant, g.event_id, g.type, g.body, at
      from jsonb_to_recordset(given) as g(tenant_id text, event_id text, type text, body text)
      where g.tenant_id = tenant
      on conflict do nothing;
    insert into webhook_deliveries (tenant_id, id, webhook_id, event_id, type, next_at, created_at)
      select tenant, d.id, d.webhook_id, g.event_id, g.type, at, at
      from jsonb_to_recordset(given) as g(tenant_id text, event_id text, type text, deliveries jsonb)
        cross join jsonb_to_recordset(g.deliveries) as d(id text, webhook_id text)
      where g.tenant_id = tenant
      on conflict on constraint webhook_deliveries_once do nothing;
  end loop;
  perform set_config('remit.tenant', before, true);
  -- After the rows, and in the order in which lanes are released, so that nobody waits for one another.
  perform from webhook_lanes where webhook_id in (
    select d.webhook_id from jsonb_to_recordset(given) as g(deliveries jsonb)
      cross join jsonb_to_recordset(g.deliveries) as d(webhook_id text))
    order by webhook_id for update;
  update webhook_lanes set due_at = least(due_at, at) where webhook_id in (
    select d.webhook_id from jsonb_to_recordset(given) as g(deliveries jsonb)
      cross join jsonb_to_recordset(g.deliveries) as d(webhook_id text));
end $$;

-- Takes what is due of lanes that are leased, `room` of each: [{tenant_id, webhook_id, lease, room}]. The attempt is
-- counted before it is made. What a former holder of the lane was sending when it died is taken again, and its attempt
-- stands in the log as lost.
create function start_webhook_attempts(given jsonb, at timestamptz)
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

-- Writes down how attempts ended, unless their lane has another holder by now. A webhook is disabled when its receiver is
-- gone (410) or has failed since `failing_before`; its dead letters are told of when they were not since `told_before`.
create function finish_webhook_attempts(given jsonb, at timestamptz, failing_before timestamptz, told_before timestamptz)
returns table (tenant_id text, webhook_id text, disabled text, dead bigint) language plpgsql as $$
#variable_conflict use_column
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
begin
  for tenant in select distinct g.tenant_id from jsonb_to_recordset(given) as g(tenant_id text) loop
    perform set_config('remit.tenant', tenant, true);
    return query
      with ends as materialized (
        select g.* from jsonb_to_recordset(given) as g(tenant_id text, webhook_id text, delivery_id text, lease bigint,
          attempt integer, started_at timestamptz, duration_ms integer, url text, signature text, response_status integer,
          response_body text, error text, status text, next_at timestamptz)
        where g.tenant_id = tenant),
      ended as (
        update webhook_deliveries d set status = ends.status, next_at = ends.next_at, lease = 0,
          response_status = ends.response_status, error = ends.error,
          ended_at = case when ends.status <> 'pending' then at end
        from ends where d.tenant_id = tenant and d.id = ends.delivery_id and d.lease = ends.lease and d.status = 'pending'
        returning d.id),
      logged as (
        insert into webhook_attempts (tenant_id, delivery_id, attempt, at, duration_ms, url, signature, response_status,
          response_body, error)
        select tenant, ends.delivery_id, ends.attempt, ends.started_at, ends.duration_ms, ends.url, ends.signature,
          ends.response_status, ends.response_body, ends.error
        from ends join ended on ended.id = ends.delivery_id
        on conflict do nothing),
      counted as (
        select ends.webhook_id, bool_or(ends.status = 'delivered') as succeeded, bool_or(ends.response_status = 410) as gone,
          count(*) filter (where ends.status <> 'delivered') as failed,
          count(*) filter (where ends.status = 'dead_letter') as dead
        from ends join ended on ended.id = ends.delivery_id group by ends.webhook_id),
      standing as materialized (
        select w.id, c.*, w.dead_told_at,
          case when not w.active then null when c.gone then 'gone'
            when not c.succeeded and w.failing_since <= failing_before then 'failing' end as ending
        from webhooks w join counted c on c.webhook_id = w.id
        where w.tenant_id = tenant and (not c.succeeded or c.gone or w.failure_count > 0)
        for update of w),
      changed as (
        update webhooks w set
          failure_count = case when s.succeeded then 0 else w.failure_count + s.failed end,
          failing_since = case when s.succeeded then null else coalesce(w.failing_since, at) end,
          active = w.active and s.ending is null,
          disabled_at = case when s.ending is null then w.disabled_at else at end,
          disabled_because = coalesce(s.ending, w.disabled_because),
          dead_told_at = case when s.dead > 0 and (s.dead_told_at is null or s.dead_told_at <= told_before) then at
            else w.dead_told_at end
        from standing s where w.tenant_id = tenant and w.id = s.id)
      select tenant, s.id, s.ending,
        case when s.dead_told_at is null or s.dead_told_at <= told_before then s.dead else 0 end
      from standing s where s.ending is not null or s.dead > 0;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

-- Gives lanes back: [{tenant_id, webhook_id, lease, held_until}]. Each is locked before what it has to send is looked for,
-- so that a delivery that comes meanwhile is either seen here or sets the lane due after us.
create function release_webhook_lanes(given jsonb) returns void language plpgsql as $$
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
            and exists (select from webhooks w where w.tenant_id = tenant and w.id = l.webhook_id and w.active)),
        'infinity'))
    from jsonb_to_recordset(given) as g(tenant_id text, webhook_id text, lease bigint, held_until timestamptz)
    where g.tenant_id = tenant and l.webhook_id = g.webhook_id and l.lease = g.lease;
  end loop;
  perform set_config('remit.tenant', before, true);
end $$;

revoke all on function insert_webhook_deliveries(jsonb, timestamptz), start_webhook_attempts(jsonb, timestamptz),
  finish_webhook_attempts(jsonb, timestamptz, timestamptz, timestamptz), release_webhook_lanes(jsonb) from public;
grant execute on function insert_webhook_deliveries(jsonb, timestamptz), start_webhook_attempts(jsonb, timestamptz),
  finish_webhook_attempts(jsonb, timestamptz, timestamptz, timestamptz), release_webhook_lanes(jsonb) to :"app";
