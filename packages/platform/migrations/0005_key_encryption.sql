-- Which key-encryption key wraps, which one is being rotated away, and the root secret from which others are derived, under
-- the key that `root_kek` names. One row, written at the first start.
create table key_encryption (
  only_one boolean primary key default true check (only_one),
  first text not null collate "C",
  current text not null collate "C",
  former text collate "C",
  root_wrapped bytea not null,
  root_kek text not null collate "C",
  changed_at timestamptz not null default now(),
  check (former is distinct from current)
);
grant select, insert, update on key_encryption to :"app";

-- Null: the installation's first.
alter table data_keys add column kek text collate "C";
