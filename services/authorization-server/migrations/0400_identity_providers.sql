-- Upstream OpenID providers: whose word a tenant takes for who its people are. The client secret is ciphertext.
create table identity_providers (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null,
  issuer text not null collate "C",
  client_id text not null collate "C",
  auth_method text not null check (auth_method in ('client_secret_basic', 'client_secret_post', 'private_key_jwt')),
  sealed_secret bytea,
  scopes text[] not null check ('openid' = any(scopes)),
  email_domains text[] not null collate "C",
  link_policy text not null check (link_policy in ('none', 'verified_email')),
  jit_policy text not null check (jit_policy in ('off', 'domain', 'approval')),
  aal2_acr_values text[] not null,
  status text not null check (status in ('active', 'suspended')),
  created_at timestamptz not null,
  changed_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id),
  check ((auth_method = 'private_key_jwt') = (sealed_secret is null))
);
call remit_tenant_table('identity_providers');
call remit_lookup('identity_provider', 'identity_providers', 'id');
grant select, insert, update, delete on identity_providers to :"app";

-- Global: which tenant a domain of mail belongs to, as the operator has seen. A domain belongs to one at most. The digest
-- finds it; its name is ciphertext.
create table email_domains (
  digest bytea primary key,
  tenant_id text not null collate "C",
  sealed bytea not null,
  assigned_at timestamptz not null
);
create index email_domains_by_tenant on email_domains (tenant_id);
grant select, insert, delete on email_domains to :"app";
