-- Whoever sweeps sees of idempotency keys the rows whose time is over, of all tenants, and no answer.
create policy due on idempotency_keys to :"relay"
  using (coalesce(keep_until, leased_until + interval '1 day') < now());
grant select (tenant_id, client, route, key, keep_until, leased_until), delete on idempotency_keys to :"relay";

drop index idempotency_keys_expired;
create index idempotency_keys_due on idempotency_keys ((coalesce(keep_until, leased_until)));
