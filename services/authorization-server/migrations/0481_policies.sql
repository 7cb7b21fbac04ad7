-- What a tenant decides of its management calls beyond their scopes. One row per policy, one per version of its text.
create table policies (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null,
  kind text not null check (kind in ('cedar', 'opa_data', 'opa_remote')),
  version integer not null check (version > 0),
  active_version integer,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, id),
  unique (tenant_id, name)
);
call remit_tenant_table('policies');
grant select, insert, update, delete on policies to :"app";

create table policy_versions (
  tenant_id text not null collate "C",
  policy_id text not null collate "C",
  version integer not null,
  content text not null check (octet_length(content) <= 65536),
  made_by text not null,
  created_at timestamptz not null,
  primary key (tenant_id, policy_id, version),
  foreign key (tenant_id, policy_id) references policies (tenant_id, id) on delete cascade
);
call remit_tenant_table('policy_versions');
grant select, insert, delete on policy_versions to :"app";

alter table policies add foreign key (tenant_id, id, active_version)
  references policy_versions (tenant_id, policy_id, version) deferrable initially deferred;

-- What was decided of a call, and which policies decided it. Kept 30 days; nobody changes a row.
create table policy_decisions (
  tenant_id text not null collate "C",
  id text not null collate "C",
  at timestamptz not null,
  request_id text not null,
  principal text not null,
  action text not null,
  resource text not null,
  decision text not null check (decision in ('allow', 'deny')),
  determining text[] not null,
  errors text[] not null,
  primary key (tenant_id, id)
);
call remit_tenant_table('policy_decisions');
grant select, insert, delete on policy_decisions to :"app";
create index policy_decisions_by_time on policy_decisions using brin (at) with (autosummarize = on);
create policy due on policy_decisions to :"relay" using (at < now() - interval '30 days');
grant select (tenant_id, id, at), delete on policy_decisions to :"relay";
