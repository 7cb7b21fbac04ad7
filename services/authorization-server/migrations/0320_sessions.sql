-- The register of people's sessions, each in its person's home tenant. `sid` is the SHA-256 of the core's session uid: it
-- stands in tokens, and finds the core's own record (`oauth_artifacts.uid_digest`). Address and user agent are ciphertext.
create table sessions (
  tenant_id text not null collate "C",
  id text not null collate "C",
  sid text not null collate "C",
  account_id text not null collate "C",
  -- SHA-256 of the cookie's value that counts now: a cookie from before a sign-in or step-up opens nothing.
  cookie_digest text not null collate "C",
  acr text,
  amr text[] not null default '{}',
  sealed bytea not null,
  created_at timestamptz not null,
  authenticated_at timestamptz not null,
  last_seen_at timestamptz not null,
  absolute_expires_at timestamptz not null,
  ended_at timestamptz,
  ended_because text check (ended_because in ('signed_out', 'revoked_by_person', 'revoked_by_operator',
    'password_changed', 'recovery', 'security', 'expired', 'superseded')),
  primary key (tenant_id, id),
  unique (id),
  unique (sid),
  check ((ended_at is null) = (ended_because is null))
);
create index sessions_live on sessions (tenant_id, account_id, last_seen_at) where ended_at is null;
call remit_tenant_table('sessions');
call remit_lookup('session', 'sessions', 'sid');
grant select, insert, update, delete on sessions to :"app";

-- A grant knows the session it was given in, whether it outlives it (a mandate, offline access), and what it allows.
alter table oauth_grants
  add column session_sid text collate "C",
  add column outlives_session boolean not null default true,
  add column scopes text[] not null default '{}';
create index oauth_grants_of_session on oauth_grants (session_sid) where session_sid is not null;
create index oauth_grants_of_account on oauth_grants (account_id, grant_digest) where revoked_at is null;
