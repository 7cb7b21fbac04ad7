-- Who is signed in to the portal. Rows hold ids, digests and ciphertext alone: the browser's secret as its digest, the tokens
-- sealed with the keyring.
create table portal_sessions (
  secret_digest text primary key collate "C",
  id text not null unique collate "C",
  account text not null collate "C",
  -- The issuer's own session, by which it tells us that it has ended.
  sid text not null collate "C",
  sealed bytea not null,
  -- Counts what was kept in `sealed`: of two that refresh at once, one keeps its tokens.
  generation integer not null default 1,
  signed_in_at timestamptz not null,
  last_seen_at timestamptz not null
);
create index portal_sessions_sid on portal_sessions (sid);
create index portal_sessions_account on portal_sessions (account);
create index portal_sessions_seen on portal_sessions (last_seen_at);
grant select, insert, update, delete on portal_sessions to :"app";

-- Sign-ins under way: what we must remember between asking the issuer and its answer, for the browser that asked.
create table sign_ins (
  state_digest text primary key collate "C",
  browser_digest text not null collate "C",
  sealed bytea not null,
  until timestamptz not null
);
create index sign_ins_until on sign_ins (until);
grant select, insert, delete on sign_ins to :"app";
