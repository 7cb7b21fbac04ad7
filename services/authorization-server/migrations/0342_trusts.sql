-- Whose word a tenant takes for which of its agents, and the identity assertions it lets its clients have for others.
create table trusts (
  tenant_id text not null collate "C",
  id text not null collate "C",
  client_id text not null collate "C",
  kind text not null check (kind in ('github', 'federation', 'id_jag', 'id_jag_issue', 'spiffe', 'workload')),
  name text not null,
  status text not null check (status in ('active', 'suspended')),
  scopes text[] not null check (cardinality(scopes) > 0),
  bearer boolean not null,
  rules jsonb not null,
  created_at timestamptz not null,
  changed_at timestamptz not null,
  expires_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  constraint trusts_client foreign key (tenant_id, client_id) references clients (tenant_id, id)
);
create index trusts_by_client on trusts (tenant_id, client_id);
call remit_tenant_table('trusts');
grant select, insert, update, delete on trusts to :"app";

-- Whether tokens that are bound to no key may be issued for this tenant's agents at all.
alter table tenants add column bearer_tokens boolean not null default false;

-- The management client configures trust too. The owner sees nothing under forced row-level security.
alter table clients no force row level security;
update clients set scopes = scopes || 'admin:orgs'::text
  where kind = 'admin' and 'agents:write' = any(scopes) and not 'admin:orgs' = any(scopes);
alter table clients force row level security;
