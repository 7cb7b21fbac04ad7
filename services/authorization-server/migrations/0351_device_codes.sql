-- When a code or request that a client polls for was last asked about, and how long it must wait in between. `early` is
-- what the last poll was: RFC 8628 §3.5 (slow_down) and OpenID CIBA §11.
alter table oauth_artifacts
  add column polled_at timestamptz,
  add column poll_interval_s integer not null default 5,
  add column polled_early boolean not null default false;

-- Two codes that people could mistake for one another never live at once.
create unique index oauth_artifacts_user_code on oauth_artifacts (uid_digest) where model = 'DeviceCode';

-- Global: user codes tried, per address, whose HMAC is the key. A guess is counted before it is compared.
create table user_code_guesses (
  key text not null collate "C" primary key,
  tried integer not null,
  window_ends timestamptz not null
);
create index user_code_guesses_by_end on user_code_guesses (window_ends);
grant select, insert, update, delete on user_code_guesses to :"app";
