-- Who somebody is at an upstream provider, and whose account that is. Global: people belong to several tenants. Ids,
-- digests and ciphertext only. One subject is one account's, and an account has one subject at a provider: a second that
-- claims the same address is looked at by a person.
create table identities (
  id text not null collate "C" primary key,
  provider_id text not null collate "C",
  subject_digest bytea not null,
  account_id text not null collate "C",
  sealed bytea not null,
  created_at timestamptz not null,
  last_used_at timestamptz,
  unique (provider_id, subject_digest),
  unique (provider_id, account_id)
);
create index identities_by_account on identities (account_id);
grant select, insert, update, delete on identities to :"app";

-- Somebody whom a provider vouches for and who waits for the tenant's yes.
create table admissions (
  tenant_id text not null collate "C",
  id text not null collate "C",
  provider_id text not null collate "C",
  subject_digest bytea not null,
  sealed bytea not null,
  status text not null check (status in ('waiting', 'admitted', 'refused')),
  asked_at timestamptz not null,
  decided_at timestamptz,
  primary key (tenant_id, id),
  unique (id),
  unique (tenant_id, provider_id, subject_digest),
  check ((status = 'waiting') = (decided_at is null))
);
call remit_tenant_table('admissions');
grant select, insert, update, delete on admissions to :"app";

-- One browser's way to a provider and back. The state is good once, in the browser and the conversation it was made in.
create table provider_visits (
  state_digest bytea primary key,
  provider_id text not null collate "C",
  browser_digest bytea not null,
  conversation_digest bytea not null,
  -- Nonce and PKCE verifier; then what the provider said.
  sealed_question text not null,
  sealed_said text,
  expires_at timestamptz not null,
  used_at timestamptz,
  -- Set while the person is to show that the account with this address is theirs.
  link_asked_at timestamptz,
  settled_at timestamptz
);
create index provider_visits_to_link on provider_visits (conversation_digest)
  where link_asked_at is not null and settled_at is null;
create index provider_visits_by_expiry on provider_visits (expires_at);
grant select, insert, update, delete on provider_visits to :"app";
