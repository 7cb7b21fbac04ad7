-- Fee schedules by merchant, rail and volume, never changed: a newer one takes over from its day on, and what was captured
-- before keeps the terms that its entry names.

-- A month of the books. `open` months have no row. `closing`: nothing is posted into it any more; `summed`: its sums and
-- volumes stand; `invoiced`: its invoices are drawn up.
create table ledger_months (
  month text not null collate "C" check (month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'),
  state text not null collate "C" check (state in ('closing', 'summed', 'invoiced')),
  closed_at timestamptz not null,
  -- How far its entries have been summed up.
  summed_to timestamptz not null,
  finished_at timestamptz,
  primary key (month)
);
grant select, insert, update on ledger_months to :"app";

alter table fee_schedules rename to fee_schedules_before;
alter index fee_schedules_merchant rename to fee_schedules_before_merchant;
alter table fee_schedules_before rename constraint fee_schedules_pkey to fee_schedules_before_pkey;

-- One merchant's terms are its own tenant's to see; those of all merchants are the platform's.
create table fee_schedules (
  tenant_id text not null collate "C",
  id text not null collate "C",
  rail text not null collate "C",
  merchant_id text collate "C",
  currency text collate "C",
  -- The one way in which a fee is collected: kept back from what was captured, or asked for by invoice.
  collection text not null collate "C" check (collection in ('withheld', 'invoiced')),
  -- How a share of basis points becomes whole units. The rest of the amount is the merchant's, always.
  rounding text not null collate "C" check (rounding in ('half-even', 'down', 'up')),
  effective_from timestamptz not null,
  effective_until timestamptz,
  set_by text not null collate "C",
  set_at timestamptz not null,
  primary key (id),
  check (effective_until > effective_from),
  check ((merchant_id is null) = (tenant_id = 'platform'))
);
create index fee_schedules_of on fee_schedules (tenant_id, rail, merchant_id, effective_from);
call remit_tenant_table('fee_schedules');
call remit_append_only('fee_schedules');
grant select, insert on fee_schedules to :"app";

-- What a capture costs once the merchant's volume has reached `from_minor`: a share, and a fixed part, at least the minimum,
-- never more than the amount.
create table fee_tiers (
  tenant_id text not null collate "C",
  schedule_id text not null collate "C" references fee_schedules (id),
  from_minor bigint not null check (from_minor >= 0),
  basis_points integer not null check (basis_points between 0 and 10000),
  fixed_minor bigint not null check (fixed_minor >= 0),
  minimum_minor bigint not null check (minimum_minor >= 0),
  primary key (schedule_id, from_minor)
);
call remit_tenant_table('fee_tiers');
call remit_append_only('fee_tiers');
grant select, insert on fee_tiers to :"app";

-- What a merchant captured in a month that is closed: by it the tier is found until the next one is closed.
create table fee_volumes (
  tenant_id text not null collate "C",
  merchant_id text not null collate "C",
  rail text not null collate "C",
  asset text not null collate "C",
  month text not null collate "C" references ledger_months (month),
  captured numeric(38, 0) not null check (captured >= 0),
  primary key (tenant_id, merchant_id, rail, asset, month)
);
call remit_tenant_table('fee_volumes');
grant select on fee_volumes to :"app";

alter table fee_schedules no force row level security;
alter table fee_tiers no force row level security;
insert into fee_schedules (tenant_id, id, rail, currency, collection, rounding, effective_from, effective_until, set_by, set_at)
  select 'platform', 'fsc_' || lpad(id::text, 26, '0'), rail, currency, 'withheld', 'half-even', effective_from, effective_until, 'billing', effective_from
  from fee_schedules_before where merchant_id is null;
insert into fee_tiers (tenant_id, schedule_id, from_minor, basis_points, fixed_minor, minimum_minor)
  select 'platform', 'fsc_' || lpad(id::text, 26, '0'), 0, basis_points, fixed_minor, minimum_minor
  from fee_schedules_before where merchant_id is null;
-- No rail is without: a payment over a chain costs a hundredth.
insert into fee_schedules (tenant_id, id, rail, collection, rounding, effective_from, set_by, set_at)
  values ('platform', 'fsc_0000000000000000000000x402', 'x402', 'withheld', 'half-even', '2026-01-01T00:00:00Z', 'billing', '2026-01-01T00:00:00Z');
insert into fee_tiers (tenant_id, schedule_id, from_minor, basis_points, fixed_minor, minimum_minor)
  values ('platform', 'fsc_0000000000000000000000x402', 0, 100, 0, 0);
alter table fee_schedules force row level security;
alter table fee_tiers force row level security;
-- Terms of one merchant could only be written by hand, and named no tenant: whoever wrote some sets them again.
do $$
begin
  if exists (select from fee_schedules_before where merchant_id is not null) then
    raise exception 'fee_schedules has terms of single merchants: note them, delete them, and set them again over the API';
  end if;
end $$;
drop table fee_schedules_before;

-- The terms of a capture at a moment. A merchant's own go before those of all, one for its currency before one for any, then
-- the one that came into effect last. In the payer's transaction neither is to be seen, so that this function looks.
create function fee_terms(asked_rail text, merchant text, payee text, asset text, at timestamptz)
returns table (schedule text, collection text, rounding text, from_minor bigint, basis_points integer, fixed_minor bigint, minimum_minor bigint)
language plpgsql stable security definer as $$
#variable_conflict use_column
declare
  chosen fee_schedules%rowtype;
  volume numeric = 0;
begin
  select s.* into chosen from fee_schedules s
    where s.rail = asked_rail and ((s.tenant_id = 'platform' and s.merchant_id is null) or (s.tenant_id = fee_terms.payee and s.merchant_id = fee_terms.merchant))
      and (s.currency is null or s.currency = fee_terms.asset)
      and s.effective_from <= fee_terms.at and (s.effective_until is null or s.effective_until > fee_terms.at)
    order by (s.merchant_id is not null) desc, (s.currency is not null) desc, s.effective_from desc, s.set_at desc, s.id desc
    limit 1;
  if exists (select from fee_tiers t where t.schedule_id = chosen.id and t.from_minor > 0) then
    select v.captured into volume from fee_volumes v
      where v.tenant_id = fee_terms.payee and v.merchant_id = fee_terms.merchant and v.rail = asked_rail and v.asset = fee_terms.asset
        and v.month = (select max(m.month) from ledger_months m where m.state <> 'closing');
  end if;
  return query select chosen.id, chosen.collection, chosen.rounding, t.from_minor, t.basis_points, t.fixed_minor, t.minimum_minor
    from fee_tiers t where t.schedule_id = chosen.id and t.from_minor <= coalesce(volume, 0)
    order by t.from_minor desc limit 1;
end $$;

-- An entry of a capture names its rail and the terms of its fee: what it cost can be told for ever.
alter table ledger_entries add column rail text collate "C", add column fee_schedule text collate "C" references fee_schedules (id),
  add column fee_from_minor bigint;

-- The function belongs to the lookup role, which alone may replace it.
do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  perform set_config('remit.owner', current_user, true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;
create or replace function ledger_write(entry jsonb) returns boolean language plpgsql security definer as $$
begin
  insert into ledger_entries (id, kind, object_id, transition, ordinal, charge_id, reverses, posted_at, rail, fee_schedule, fee_from_minor)
    values (entry ->> 'id', entry ->> 'kind', entry ->> 'object', entry ->> 'transition', (entry ->> 'ordinal')::integer,
      entry ->> 'charge', entry ->> 'reverses', (entry ->> 'at')::timestamptz, entry ->> 'rail', entry #>> '{fee,schedule}', (entry #>> '{fee,from}')::bigint)
    on conflict (object_id, transition, ordinal) do nothing;
  if not found then
    perform ledger_expect_same(entry);
    return false;
  end if;
  with changed as (
    update ledger_accounts a set balance = a.balance + l.units, postings = a.postings + 1
    from jsonb_to_recordset(entry -> 'legs') as l(account text, units numeric)
    where a.id = l.account
    returning a.tenant_id, a.id, a.asset, l.units, a.balance
  )
  insert into ledger_postings (tenant_id, entry_id, account_id, asset, units, balance)
    select tenant_id, entry ->> 'id', id, asset, units, balance from changed;
  -- The pair of the check before the write: what stands in the table balances, leg for leg.
  if (select count(*) from ledger_postings p where p.entry_id = entry ->> 'id') <> jsonb_array_length(entry -> 'legs')
    or exists (select from ledger_postings p where p.entry_id = entry ->> 'id' group by p.asset having sum(p.units) <> 0) then
    raise exception 'entry % was not written as it was asked', entry ->> 'id' using errcode = 'LG001';
  end if;
  return true;
end $$;
do $$
begin
  execute format('alter function ledger_write(jsonb) set search_path = %I, pg_temp', current_schema());
  execute format('set local role %I', current_setting('remit.owner'));
end $$;

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  own text;
begin
  foreach own in array array['fee_schedules', 'fee_tiers', 'fee_volumes'] loop
    execute format('grant select on %I to %I', own, lookup);
    execute format('create policy fees on %I for select to %I using (true)', own, lookup);
  end loop;
  execute format('grant select on ledger_months to %I', lookup);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('alter function fee_terms(text, text, text, text, timestamptz) set search_path = %I, pg_temp', current_schema());
  execute 'revoke all on function fee_terms(text, text, text, text, timestamptz) from public';
  execute format('grant execute on function fee_terms(text, text, text, text, timestamptz) to %I', app);
  execute format('alter function fee_terms(text, text, text, text, timestamptz) owner to %I', lookup);
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
