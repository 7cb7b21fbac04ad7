-- A private key may be kept elsewhere (Vault, a KMS): `engine` says where and `reference` names it there. A key of ours is
-- ciphertext under the key-encryption key that `kek` names (null: the installation's first).
-- A key that was revoked in an emergency is removed at once, and says for ever when and why.
alter table signing_keys
  add column engine text not null default 'local' collate "C" check (engine ~ '^[a-z][a-z0-9-]{0,31}$'),
  add column reference text collate "C",
  add column kek text collate "C",
  add column revoked_at timestamptz,
  add column reason text,
  drop constraint signing_keys_check1,
  add constraint signing_keys_can_sign check (state in ('retired', 'removed') or wrapped is not null or reference is not null),
  add constraint signing_keys_engine check (engine = 'local' or wrapped is null),
  add constraint signing_keys_revoked check ((revoked_at is null) = (reason is null) and (revoked_at is null or state = 'removed'));
