-- Issuers whose tokens a tenant can have checked. They prove who somebody is there, and give nothing here.
create table partners (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null,
  issuer text not null collate "C",
  jwks_uri text not null,
  -- Which organizations of the partner count; null: all of them.
  allowed_organizations text[] check (cardinality(allowed_organizations) > 0),
  status text not null check (status in ('active', 'suspended')),
  created_at timestamptz not null,
  changed_at timestamptz not null,
  expires_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  -- One issuer, one place of keys: no second partner speaks in its name (A14).
  constraint partners_issuer unique (tenant_id, issuer)
);
call remit_tenant_table('partners');
grant select, insert, update, delete on partners to :"app";
