-- What people want to be told of, and by which ways. Addresses and keys of browsers are ciphertext.
create table notice_people (
  account text primary key collate "C",
  -- The e-mail address and the language.
  sealed bytea not null,
  questions boolean not null,
  money boolean not null
);
grant select, insert, update, delete on notice_people to :"app";

-- Browsers that take notices by web push (RFC 8030). One subscription is one person's: whoever subscribed last.
create table notice_devices (
  id text primary key collate "C",
  account text not null collate "C",
  endpoint_digest text not null unique collate "C",
  -- The endpoint, its keys, what the browser is called, and the language.
  sealed bytea not null,
  questions boolean not null,
  money boolean not null,
  added_at timestamptz not null
);
create index notice_devices_account on notice_devices (account);
grant select, insert, update, delete on notice_devices to :"app";

-- What there is to tell, by the event that says so: an event that comes again is known.
create table notices (
  id text primary key collate "C",
  account text not null collate "C",
  kind text not null check (kind in ('question', 'capture', 'refund')),
  subject text not null collate "C",
  at timestamptz not null,
  -- A question's last moment; and that it has its answer.
  until timestamptz,
  answered boolean not null default false,
  heard_at timestamptz not null
);
create index notices_subject on notices (subject) where kind = 'question';
create index notices_account on notices (account, id);
create index notices_heard on notices (heard_at);
grant select, insert, update, delete on notices to :"app";

-- One row per notice and way ('mail', or a device): written down before anything is sent, and sent once.
create table notice_deliveries (
  notice_id text not null collate "C" references notices (id) on delete cascade,
  way text not null collate "C",
  -- `unknown`: the letter was handed over and no answer came; it is not sent again.
  state text not null default 'waiting'
    check (state in ('waiting', 'sending', 'sent', 'late', 'refused', 'unknown')),
  ended_at timestamptz,
  primary key (notice_id, way)
);
create index notice_deliveries_open on notice_deliveries (way) where state in ('waiting', 'sending');
grant select, insert, update, delete on notice_deliveries to :"app";
