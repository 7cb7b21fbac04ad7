-- How people prove who they are. Global: people belong to several tenants. Ids, digests and ciphertext only.

-- Somebody may have passkeys and no password.
alter table accounts alter column password_digest drop not null;

-- What may not be chosen again.
create table former_passwords (
  account_id text not null collate "C",
  digest text not null,
  replaced_at timestamptz not null,
  primary key (account_id, digest)
);
grant select, insert, delete on former_passwords to :"app";

create table passkeys (
  -- SHA-256 of the credential id; the id itself is in the sealed part.
  credential_digest bytea primary key,
  account_id text not null collate "C",
  sealed bytea not null,
  sign_count bigint not null,
  device_bound boolean not null,
  created_at timestamptz not null,
  last_used_at timestamptz
);
create index passkeys_by_account on passkeys (account_id);
grant select, insert, update, delete on passkeys to :"app";

create table authenticator_apps (
  account_id text not null collate "C" primary key,
  sealed bytea not null,
  -- The last time step that was accepted: a code is good once (RFC 6238 §5.2).
  used_step bigint not null,
  created_at timestamptz not null
);
grant select, insert, update, delete on authenticator_apps to :"app";

create table recovery_codes (
  account_id text not null collate "C",
  digest bytea not null,
  created_at timestamptz not null,
  used_at timestamptz,
  primary key (account_id, digest)
);
grant select, insert, update, delete on recovery_codes to :"app";

-- What somebody is asked to confirm for one action. The challenge is the digest of exactly that.
create table step_ups (
  id text not null collate "C" primary key,
  account_id text not null collate "C",
  session_digest bytea not null,
  action text not null collate "C",
  challenge bytea not null,
  what text not null,
  required_aal int not null check (required_aal between 1 and 3),
  expires_at timestamptz not null,
  consumed_at timestamptz
);
create index step_ups_by_expiry on step_ups (expires_at);
grant select, insert, update, delete on step_ups to :"app";

-- The evidence. One thing is confirmed at most once, whichever window it was asked in.
create table step_up_answers (
  challenge bytea primary key,
  step_up_id text not null collate "C",
  account_id text not null collate "C",
  action text not null collate "C",
  method text not null collate "C" check (method in ('password', 'code', 'passkey')),
  aal int not null check (aal between 1 and 3),
  sealed bytea not null,
  answered_at timestamptz not null
);
grant select, insert on step_up_answers to :"app";
