-- Global: whether an organization's clients and tokens count is asked in transactions of other tenants, and its slug is
-- unique among all. Ids and a public name only.
create table tenant_standings (
  tenant_id text not null collate "C" primary key,
  slug text collate "C",
  status text not null default 'active' check (status in ('active', 'suspended', 'deleted')),
  -- The tenant that made it and may suspend it, beside the operator of the installation.
  made_by text collate "C",
  created_at timestamptz not null,
  changed_at timestamptz not null,
  -- When a deleted one is erased.
  erase_at timestamptz,
  erased_at timestamptz,
  constraint tenant_standings_slug unique (slug),
  check ((status = 'deleted') = (erase_at is not null)),
  check (erased_at is null or status = 'deleted')
);
create index tenant_standings_made_by on tenant_standings (made_by, tenant_id) where made_by is not null;
grant select, insert, update on tenant_standings to :"app";

alter table tenants no force row level security;
-- What is the installation's own stands under an organization too.
insert into tenants (tenant_id, name, kind, created_at)
  values ('org_00000000000000000000000000', 'System', 'platform', now()) on conflict do nothing;
insert into tenant_standings (tenant_id, slug, created_at, changed_at)
  select tenant_id, case when kind = 'platform' then 'system' end, created_at, created_at from tenants;
alter table tenants force row level security;

create or replace function client_stamp(client text) returns text language sql stable as $$
  select concat_ws(' ', c.xmin, a.xmin, s.xmin, t.xmin, o.xmin)
  from clients c
    left join agents a on a.tenant_id = c.tenant_id and a.id = c.id
    left join agent_standings s on s.agent_id = c.id
    left join tenants t on t.tenant_id = c.tenant_id
    left join tenant_standings o on o.tenant_id = c.tenant_id
  where c.id = client
$$;

-- Whom an organization asked to join it. The code is in a letter; we keep its digest and, sealed, the address.
create table invitations (
  tenant_id text not null collate "C",
  id text not null collate "C",
  digest text not null collate "C",
  email_digest text not null collate "C",
  sealed_email bytea not null,
  role text not null check (role in ('owner', 'admin', 'member', 'auditor')),
  created_by text not null collate "C",
  created_at timestamptz not null,
  expires_at timestamptz not null,
  accepted_at timestamptz,
  primary key (tenant_id, id),
  unique (digest)
);
call remit_tenant_table('invitations');
call remit_lookup('invitation', 'invitations', 'digest');
grant select, insert, update, delete on invitations to :"app";
grant delete on memberships to :"app";
