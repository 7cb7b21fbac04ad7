-- Who exists: tenants, people, agents, OAuth clients, and what OAuth remembers between two requests.

create table tenants (
  tenant_id text not null collate "C" primary key,
  name text not null,
  kind text not null check (kind in ('personal', 'company', 'platform')),
  created_at timestamptz not null
);
call remit_tenant_table('tenants');
grant select, insert, update on tenants to :"app";

-- Global: people belong to several tenants. The e-mail is found by its HMAC; everything personal is ciphertext.
create table accounts (
  id text not null collate "C" primary key,
  email_digest bytea not null unique,
  personal bytea not null,
  password_digest text not null,
  home_tenant text not null collate "C",
  created_at timestamptz not null,
  disabled_at timestamptz
);
grant select, insert, update on accounts to :"app";

create table memberships (
  tenant_id text not null collate "C",
  account_id text not null collate "C",
  role text not null check (role in ('owner', 'admin', 'member', 'auditor')),
  created_at timestamptz not null,
  primary key (tenant_id, account_id)
);
call remit_tenant_table('memberships');
grant select, insert, update on memberships to :"app";

-- Global: failures are counted per account and address before anybody is known; the key is an HMAC of the two.
create table sign_in_failures (
  key text not null collate "C" primary key,
  failed_count int not null,
  window_ends timestamptz not null
);
grant select, insert, update, delete on sign_in_failures to :"app";

create table agents (
  tenant_id text not null collate "C",
  id text not null collate "C",
  name text not null,
  assertion_jwk jsonb not null,
  dpop_jwk jsonb not null,
  dpop_thumbprint text not null collate "C",
  created_at timestamptz not null,
  primary key (tenant_id, id),
  unique (id)
);
call remit_tenant_table('agents');
grant select, insert, update on agents to :"app";
call remit_lookup('agent', 'agents', 'id');

-- Global: whether an agent may act is asked inside transactions of payers and payees, who are other tenants.
-- This row is the one truth of it and the row the commit point of a charge locks. Ids only.
create table agent_standings (
  agent_id text not null collate "C" primary key,
  tenant_id text not null collate "C",
  status text not null check (status in ('active', 'suspended', 'decommissioned')),
  dpop_thumbprint text not null collate "C",
  changed_at timestamptz not null
);
grant select, insert, update on agent_standings to :"app";

create table clients (
  tenant_id text not null collate "C",
  id text not null collate "C",
  kind text not null check (kind in ('agent', 'merchant', 'admin', 'wallet')),
  name text not null,
  redirect_uris text[] not null default '{}',
  scopes text[] not null,
  assertion_jwk jsonb,
  dpop_jwk jsonb,
  dpop_thumbprint text collate "C",
  secret_digest bytea,
  created_at timestamptz not null,
  disabled_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  -- An agent's keys stand in its own row; a wallet binds its tokens to a key of its choice.
  check ((kind in ('merchant', 'wallet')) = (assertion_jwk is not null)),
  check ((kind = 'merchant') = (dpop_jwk is not null and dpop_thumbprint is not null)),
  check ((kind = 'admin') = (secret_digest is not null))
);
call remit_tenant_table('clients');
grant select, insert, update on clients to :"app";
call remit_lookup('client', 'clients', 'id');

create table setup_tokens (
  tenant_id text not null collate "C",
  digest text not null collate "C",
  kind text not null check (kind in ('agent', 'merchant')),
  name text,
  created_by text not null collate "C",
  created_at timestamptz not null,
  expires_at timestamptz not null,
  used_at timestamptz,
  used_by text collate "C",
  primary key (tenant_id, digest),
  unique (digest)
);
call remit_tenant_table('setup_tokens');
grant select, insert, update on setup_tokens to :"app";
call remit_lookup('setup', 'setup_tokens', 'digest');

-- Global: what the OAuth core stores. Ids are SHA-256 digests, payloads ciphertext.
create table oauth_artifacts (
  model text not null collate "C",
  id_digest text not null collate "C",
  grant_digest text collate "C",
  uid_digest text collate "C",
  scope text not null collate "C",
  sealed bytea not null,
  consumed_at timestamptz,
  expires_at timestamptz not null,
  primary key (model, id_digest)
);
create index oauth_artifacts_by_grant on oauth_artifacts (grant_digest) where grant_digest is not null;
create index oauth_artifacts_by_uid on oauth_artifacts (model, uid_digest) where uid_digest is not null;
create index oauth_artifacts_by_expiry on oauth_artifacts (expires_at);
grant select, insert, update, delete on oauth_artifacts to :"app";

-- Global: which mandate a grant led to, for the code exchange and for the cascade of a replay. Ids only.
create table oauth_grants (
  grant_digest text not null collate "C" primary key,
  client_id text not null collate "C",
  account_id text not null collate "C",
  tenant_id text not null collate "C",
  mandate_id text collate "C",
  created_at timestamptz not null,
  revoked_at timestamptz
);
grant select, insert, update on oauth_grants to :"app";

-- Global: access tokens that no longer count, by jti, grant or session. The record of every revocation.
create table token_revocations (
  key text not null collate "C" primary key,
  until timestamptz not null
);
create index token_revocations_by_expiry on token_revocations (until);
grant select, insert, update, delete on token_revocations to :"app";
