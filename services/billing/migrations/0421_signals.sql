-- What the authorization server tells of itself (Shared Signals), as billing has heard it. Ids alone: a signal is a hint.

-- Its streams that were made for billing. One is current; another takes its place when the server has made a new one.
create table signal_streams (
  id text not null collate "C",
  -- In the address to which its signals are posted, so that each is of one stream: streams to one receiver have one audience.
  label text not null collate "C",
  -- `aud` of its signals.
  audience text not null collate "C",
  -- Where at the issuer is fetched what has not arrived.
  poll_path text not null,
  made_at timestamptz not null,
  ended_at timestamptz,
  -- Every signal up to this place has been heard; and the furthest that has.
  whole bigint not null default 0,
  furthest bigint not null default 0,
  -- Since when the next place is empty though later ones are not.
  gap_since timestamptz,
  primary key (id),
  unique (label),
  check (0 <= whole and whole <= furthest),
  check ((gap_since is null) = (whole = furthest))
);
create unique index signal_streams_current on signal_streams ((true)) where ended_at is null;

create table signals (
  stream_id text not null collate "C" references signal_streams (id),
  seq bigint not null check (seq > 0),
  jti text not null collate "C",
  -- Of the event that it tells of, as the issuer's log has it.
  txn text not null collate "C",
  type text not null collate "C",
  -- hinted: jobs read what it may be about. known: that is over here. unknown: it is about nothing of ours. passed: nobody here looks at such.
  outcome text not null collate "C" check (outcome in ('hinted', 'known', 'unknown', 'passed')),
  -- The charge or dispute that it names.
  about text collate "C",
  heard_at timestamptz not null,
  primary key (stream_id, seq),
  unique (stream_id, jti)
);
create index signals_heard on signals (heard_at);

grant select, insert, update on signal_streams to :"app";
grant select, insert, delete on signals to :"app";
