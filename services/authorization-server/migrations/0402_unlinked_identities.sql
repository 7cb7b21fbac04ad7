-- What a person, or their recovery, has unlinked: an address alone does not link it again, only their own yes. Global like
-- identities; ids only.
create table unlinked_identities (
  provider_id text not null collate "C",
  account_id text not null collate "C",
  unlinked_at timestamptz not null,
  primary key (provider_id, account_id)
);
grant select, insert, delete on unlinked_identities to :"app";
