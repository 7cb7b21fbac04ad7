-- Filters of long lists that a person gave a name. What is called how, and what is looked for in it, is ciphertext.
create table saved_views (
  account text not null collate "C",
  -- The path of the list.
  list text not null collate "C",
  -- Of its name, with account and list: one name stands once in a list.
  name_digest text not null collate "C",
  sealed bytea not null,
  saved_at timestamptz not null,
  primary key (account, list, name_digest)
);
grant select, insert, update, delete on saved_views to :"app";
