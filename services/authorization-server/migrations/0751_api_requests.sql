-- What was asked of the API, by whom, and what came of it. No bodies, no queries. Kept 30 days, and 100,000 of an
-- organization at most; nobody changes a row.
create table api_requests (
  tenant_id text not null collate "C",
  id text not null collate "C",
  at timestamptz not null,
  client text not null collate "C",
  actor_type text not null,
  actor text not null collate "C",
  method text not null,
  route text not null,
  path text not null,
  status smallint not null,
  problem text,
  latency_us integer not null,
  -- The events it recorded, some of which may be of other tenants or have been rolled back.
  events text[] not null default '{}',
  -- What it registered together with other requests: those events are about it.
  made text[] not null default '{}',
  primary key (tenant_id, id)
);
call remit_tenant_table('api_requests');
grant select, insert, delete on api_requests to :"app";
create index api_requests_by_time on api_requests using brin (at) with (autosummarize = on);
create policy due on api_requests to :"relay" using (at < now() - interval '30 days');
grant select (tenant_id, id, at), delete on api_requests to :"relay";

-- When each client last called. Written with its requests, and kept longer.
create table client_uses (
  tenant_id text not null collate "C",
  client text not null collate "C",
  last_at timestamptz not null,
  primary key (tenant_id, client)
);
call remit_tenant_table('client_uses');
grant select, insert, update, delete on client_uses to :"app";
