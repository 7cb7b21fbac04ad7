-- What a receiver hears of an organization, or of all of them (`wide`: a service of ours). The header that pushes carry is
-- ciphertext. `last_seq` is the last place that was given: places have no gaps.
create table signal_streams (
  tenant_id text not null collate "C",
  id text not null collate "C",
  client_id text not null collate "C",
  wide boolean not null,
  audience text not null,
  events_requested text[],
  method text not null check (method in ('push', 'poll')),
  endpoint_url text,
  push_header bytea,
  description text,
  status text not null default 'enabled' check (status in ('enabled', 'paused', 'disabled')),
  reason text,
  last_seq bigint not null default 0,
  verified_at timestamptz,
  -- Pushes since the last that was taken, and when the first of them was.
  failures integer not null default 0,
  failing_since timestamptz,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  check ((method = 'push') = (endpoint_url is not null)),
  check (push_header is null or method = 'push')
);
call remit_tenant_table('signal_streams');
grant select, insert, update, delete on signal_streams to :"app";
-- Whoever reads the outbox asks who hears what; it sees no address and no secret.
create policy listening on signal_streams for select to :"relay" using (status <> 'disabled');
grant select (tenant_id, id, wide, events_requested, status, created_at) on signal_streams to :"relay";

-- What has been told on a stream and not been acknowledged.
create table signals (
  tenant_id text not null collate "C",
  stream_id text not null collate "C",
  seq bigint not null,
  jti text not null collate "C",
  txn text not null collate "C",
  name text not null collate "C",
  subject jsonb not null,
  data jsonb not null,
  created_at timestamptz not null,
  primary key (tenant_id, stream_id, seq),
  unique (jti)
);
call remit_tenant_table('signals');
grant select, insert, delete on signals to :"app";
create index signals_by_age on signals using brin (created_at);
-- Nobody has fetched it for a week.
create policy due on signals to :"relay" using (created_at < now() - interval '7 days');
grant select (tenant_id, stream_id, seq, created_at), delete on signals to :"relay";

-- Whom a stream is not to hear of: subjects as canonical JSON (RFC 8785).
create table signal_silences (
  tenant_id text not null collate "C",
  stream_id text not null collate "C",
  subject text not null collate "C",
  primary key (tenant_id, stream_id, subject)
);
call remit_tenant_table('signal_silences');
grant select, insert, delete on signal_silences to :"app";

-- Global, ids alone: one per stream that is pushed. Whoever leases it pushes, alone; `lease` rises with each taking.
create table signal_lanes (
  stream_id text not null collate "C" primary key,
  tenant_id text not null collate "C",
  due_at timestamptz not null default 'infinity',
  lease bigint not null default 0,
  leased_until timestamptz
);
create index signal_lanes_due on signal_lanes (due_at) where leased_until is null;
create index signal_lanes_left on signal_lanes (leased_until) where leased_until is not null;
grant select, insert, update, delete on signal_lanes to :"app";
grant select, update on signal_lanes to :"relay";

-- Up to which event everything has been told: it is written with what was told, so that a reader that died tells nothing twice.
create table signals_told (
  one boolean primary key default true check (one),
  xid xid8 not null default '0',
  seq bigint not null default 0
);
insert into signals_told default values;
grant select, update on signals_told to :"app";

-- Gives each its place in its stream, in the order given, and keeps it: [{tenant_id, stream_id, jti, txn, name, subject, data,
-- spellings}]. A stream that is disabled hears nothing, nor of a subject that it is silent about under any of its spellings.
-- It runs with the rights of its caller and enters one tenant after the other, as the application does.
create function tell_signals(given jsonb, at timestamptz) returns setof text language plpgsql as $$
declare
  before constant text := coalesce(current_setting('remit.tenant', true), '');
  tenant text;
  item record;
  place bigint;
  heard text[] := '{}';
begin
  for tenant in select distinct g->>'tenant_id' from jsonb_array_elements(given) g order by 1 loop
    perform set_config('remit.tenant', tenant, true);
    for item in
      select g->>'stream_id' as stream, g->>'jti' as jti, g->>'txn' as txn, g->>'name' as name, g->'subject' as subject,
        g->'data' as data, g->'spellings' as spellings
      from jsonb_array_elements(given) with ordinality as one(g, ord)
      where g->>'tenant_id' = tenant order by g->>'stream_id', ord
    loop
      continue when exists (
        select from signal_silences s where s.tenant_id = tenant and s.stream_id = item.stream
          and s.subject in (select jsonb_array_elements_text(item.spellings)));
      update signal_streams s set last_seq = s.last_seq + 1
        where s.tenant_id = tenant and s.id = item.stream and s.status <> 'disabled' returning s.last_seq into place;
      continue when not found;
      insert into signals (tenant_id, stream_id, seq, jti, txn, name, subject, data, created_at)
        values (tenant, item.stream, place, item.jti, item.txn, item.name, item.subject, item.data, at);
      if not item.stream = any(heard) then heard := heard || item.stream; end if;
    end loop;
  end loop;
  perform set_config('remit.tenant', before, true);
  -- After the rows, and in the order in which lanes are given back, so that nobody waits for one another.
  perform from signal_lanes l where l.stream_id = any(heard) order by l.stream_id for update;
  update signal_lanes l set due_at = least(l.due_at, at) where l.stream_id = any(heard);
  return query select unnest(heard);
end $$;
revoke all on function tell_signals(jsonb, timestamptz) from public;
grant execute on function tell_signals(jsonb, timestamptz) to :"app";
