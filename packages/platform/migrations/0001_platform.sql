-- What the platform needs in each service's schema: helpers for tables, then outbox, jobs, first uses and idempotency.

create table remit_roles (kind text primary key, name name not null);
insert into remit_roles values ('app', :'app'), ('relay', :'relay'), ('lookup', :'lookup');

-- Rows of one tenant are seen and written under that tenant alone. FORCE holds for the owner as well.
create procedure remit_tenant_table(name text) language plpgsql as $$
declare
  mine constant text := $q$tenant_id = nullif(current_setting('remit.tenant', true), '')$q$;
begin
  execute format('alter table %I enable row level security', name);
  execute format('alter table %I force row level security', name);
  execute format('create policy tenant on %I using (%s) with check (%s)', name, mine, mine);
end $$;

create function remit_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, tg_op using errcode = 'insufficient_privilege';
end $$;

-- Refused to everybody: ALWAYS keeps the triggers firing under session_replication_role = replica.
create procedure remit_append_only(name text) language plpgsql as $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
begin
  execute format('create trigger append_only before update or delete on %I for each statement execute function remit_refuse_change()', name);
  execute format('create trigger never_truncated before truncate on %I for each statement execute function remit_refuse_change()', name);
  execute format('alter table %I enable always trigger append_only', name);
  execute format('alter table %I enable always trigger never_truncated', name);
  execute format('revoke update, delete, truncate on %I from %I', name, app);
end $$;

-- tenant_of_<kind>(id) tells the tenant of a row and nothing else. It belongs to a role that may read just these two
-- columns of all tenants; under FORCE a function of the owner would find nothing.
create procedure remit_lookup(kind text, table_name text, column_name text) language plpgsql as $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  schema constant text := current_schema();
begin
  execute format('grant select (tenant_id, %I) on %I to %I', column_name, table_name, lookup);
  if not exists (select from pg_policies p where p.schemaname = schema and p.tablename = table_name and p.policyname = 'lookup') then
    execute format('create policy lookup on %I for select to %I using (true)', table_name, lookup);
  end if;
  execute format(
    'create function %I(id text) returns text language sql stable security definer set search_path = %I, pg_temp as %L',
    'tenant_of_' || kind, schema, format('select tenant_id from %I.%I where %I = $1', schema, table_name, column_name));
  execute format('revoke all on function %I(text) from public', 'tenant_of_' || kind);
  execute format('grant execute on function %I(text) to %I', 'tenant_of_' || kind, app);
  execute format('grant create on schema %I to %I', schema, lookup);
  execute format('alter function %I(text) owner to %I', 'tenant_of_' || kind, lookup);
  execute format('revoke create on schema %I from %I', schema, lookup);
end $$;

revoke all on procedure remit_tenant_table(text), remit_append_only(text), remit_lookup(text, text, text) from public;
revoke all on function remit_refuse_change() from public;

-- Events, written in the transaction of the change. `xid` orders by transaction: whoever reads only rows older than
-- every open transaction skips no late commit.
create table outbox (
  xid xid8 not null default pg_current_xact_id(),
  seq bigint generated always as identity,
  id text not null collate "C",
  type text not null collate "C",
  version integer not null,
  at timestamptz not null,
  tenant_id text not null collate "C",
  actor jsonb not null,
  subject text not null collate "C",
  payload jsonb not null,
  retention text not null collate "C",
  primary key (xid, seq),
  unique (id)
);
grant insert on outbox to :"app";
grant select, delete on outbox to :"relay";

create table outbox_cursors (
  consumer text primary key collate "C",
  xid xid8 not null default '0',
  seq bigint not null default 0,
  lease bigint not null default 0,
  leased_until timestamptz not null default 'epoch'
);
grant select, insert, update on outbox_cursors to :"relay";

create table jobs (
  id text primary key collate "C",
  queue text not null collate "C",
  key text collate "C",
  payload jsonb not null,
  run_at timestamptz not null,
  attempts integer not null default 0,
  -- Set while a worker has it; `lease` rises with each taking, so that a late worker cannot end another's job.
  lease bigint not null default 0,
  leased_until timestamptz,
  again boolean not null default false,
  last_error text,
  enqueued_at timestamptz not null default now()
);
create unique index jobs_key on jobs (queue, key) where key is not null;
create index jobs_due on jobs (queue, run_at, id);
grant select, insert, update on jobs to :"app";
grant select, insert, update, delete on jobs to :"relay";

create table dead_jobs (
  id text primary key collate "C",
  queue text not null collate "C",
  key text collate "C",
  payload jsonb not null,
  attempts integer not null,
  last_error text,
  enqueued_at timestamptz not null,
  died_at timestamptz not null
);
create index dead_jobs_queue on dead_jobs (queue, died_at);
grant select, insert, delete on dead_jobs to :"relay";

create table schedules (
  name text primary key collate "C",
  due_at timestamptz not null default 'epoch',
  lease bigint not null default 0,
  leased_until timestamptz not null default 'epoch'
);
grant select, insert, update on schedules to :"relay";

create table first_uses (
  key bytea primary key,
  until timestamptz not null
);
create index first_uses_until on first_uses (until);
grant select, insert, delete on first_uses to :"app";

create table idempotency_keys (
  tenant_id text not null collate "C",
  client text not null collate "C",
  route text not null collate "C",
  key text not null collate "C",
  body_digest text not null collate "C",
  claim text not null collate "C",
  leased_until timestamptz not null,
  -- The text as it was, since jsonb would reorder members.
  answer text,
  keep_until timestamptz,
  primary key (tenant_id, client, route, key)
);
create index idempotency_keys_expired on idempotency_keys (tenant_id, keep_until);
call remit_tenant_table('idempotency_keys');
grant select, insert, update, delete on idempotency_keys to :"app";
