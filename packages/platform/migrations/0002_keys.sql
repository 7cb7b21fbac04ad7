-- Keys of envelope encryption and of signing. Both tables hold ciphertext under the key-encryption key, which is not here.

-- A shredded scope stays as a row without a key, so that nothing can be sealed under it again.
create table data_keys (
  scope text primary key collate "C",
  wrapped bytea,
  created_at timestamptz not null default now(),
  shredded_at timestamptz,
  check ((wrapped is null) = (shredded_at is not null))
);
grant select, insert, update on data_keys to :"app";

-- A key signs from not_before until the next one's not_before; its signatures count until keep_until.
create table signing_keys (
  kid text primary key collate "C",
  purpose text not null collate "C",
  alg text not null collate "C" check (alg in ('ES256', 'EdDSA')),
  public_jwk jsonb not null,
  wrapped bytea,
  state text not null collate "C" check (state in ('next', 'current', 'retired', 'removed')),
  created_at timestamptz not null,
  not_before timestamptz not null,
  not_after timestamptz,
  keep_until timestamptz,
  check ((state in ('next', 'current')) = (not_after is null)),
  check (state in ('retired', 'removed') or wrapped is not null)
);
create unique index signing_keys_current on signing_keys (purpose) where state = 'current';
create unique index signing_keys_next on signing_keys (purpose) where state = 'next';
grant select, insert, update on signing_keys to :"app";
