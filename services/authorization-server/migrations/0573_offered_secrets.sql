-- Secrets that Vault may show and that are not yet what the credential is: HMACs of 32 bytes, one after the other, in the
-- order in which they were offered. All count until one is known to be in Vault; one rotation offers at a time.
alter table credentials add column offered bytea not null default '' check (length(offered) % 32 = 0),
  add column rotating_until timestamptz;
