-- A price by use holds its ceiling and takes what was used; a streamed answer leaves before all of it is known.
alter table claims
  -- How the answer leaves: whole, once it is paid, or as it comes.
  add column deliver text not null default 'buffer' check (deliver in ('buffer', 'stream')),
  -- What a use costs, as it was offered; null for a fixed price.
  add column meter jsonb,
  -- Tokens, bytes or milliseconds that the buyer has been given, written down while they flow. Null before the first.
  add column used bigint check (used >= 0),
  -- What is taken of the amount that is held, decided before it is asked for; null for all of it.
  add column captured_minor bigint,
  -- Digest of what has been streamed: nothing else of it is kept.
  add column response_digest text collate "C",
  add constraint claims_captured check (captured_minor between 1 and amount_minor),
  add constraint claims_metered check (meter is not null or (used is null and captured_minor is null));

create or replace function count_sale() returns trigger language plpgsql as $$
declare
  taken bigint := coalesce(new.captured_minor, new.amount_minor);
begin
  insert into sales (tenant_id, route_id, currency, shard, payments, amount_minor)
    values (new.tenant_id, new.route_id, new.currency, floor(random() * 16), 1, taken)
  on conflict (tenant_id, route_id, currency, shard)
    do update set payments = sales.payments + 1, amount_minor = sales.amount_minor + excluded.amount_minor;
  return null;
end $$;
