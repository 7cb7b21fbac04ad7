-- The ledger. Nobody writes it but ledger_post(), which the application may only call: balanced per asset, one entry per
-- (object, transition, ordinal), balances in the same statement as the postings they sum. Debits are positive.

-- An account belongs to a tenant: the merchant's, or `platform` for the service's own books.
create table ledger_accounts (
  tenant_id text not null collate "C",
  -- code:merchant:asset, or code:asset for the platform's own.
  id text not null collate "C",
  code text not null collate "C",
  merchant_id text collate "C",
  asset text not null collate "C",
  -- On which side the balance may stand.
  side text not null collate "C" check (side in ('debit', 'credit', 'either')),
  balance numeric(38, 0) not null default 0,
  postings bigint not null default 0,
  opened_at timestamptz not null,
  primary key (id),
  check (side <> 'debit' or balance >= 0),
  check (side <> 'credit' or balance <= 0)
);
create index ledger_accounts_tenant on ledger_accounts (tenant_id, id);
call remit_tenant_table('ledger_accounts');
grant select on ledger_accounts to :"app";

-- What was posted and why: ids alone, so that an entry whose postings belong to several tenants can have one row.
create table ledger_entries (
  id text not null collate "C",
  kind text not null collate "C",
  object_id text not null collate "C",
  transition text not null collate "C",
  ordinal integer not null,
  charge_id text collate "C",
  -- The entry that this one takes back.
  reverses text collate "C" references ledger_entries (id),
  posted_at timestamptz not null,
  primary key (id),
  unique (object_id, transition, ordinal)
);
create index ledger_entries_charge on ledger_entries (charge_id, id);
create unique index ledger_entries_reverses on ledger_entries (reverses) where reverses is not null;
call remit_append_only('ledger_entries');
grant select on ledger_entries to :"app";

create table ledger_postings (
  tenant_id text not null collate "C",
  entry_id text not null collate "C" references ledger_entries (id),
  account_id text not null collate "C" references ledger_accounts (id),
  asset text not null collate "C",
  units numeric(38, 0) not null check (units <> 0),
  -- The account's balance with this posting: a statement needs no summing.
  balance numeric(38, 0) not null,
  primary key (entry_id, account_id)
);
create index ledger_postings_account on ledger_postings (account_id, entry_id);
call remit_tenant_table('ledger_postings');
call remit_append_only('ledger_postings');
grant select on ledger_postings to :"app";

-- Posts entries: [{id, kind, object, transition, ordinal, charge, reverses, at, legs: [{tenant, account, code, merchant,
-- asset, side, units}]}]. Returns the ids of those that were new. All accounts are locked first, in the order of their
-- ids, so that no two calls wait for each other. The same news twice posts once; other news under the same name is
-- refused (LG002).
create function ledger_post(entries jsonb) returns setof text language plpgsql security definer as $$
declare
  entry jsonb;
  wrong text;
begin
  select e ->> 'id' into wrong from jsonb_array_elements(entries) as e
    where jsonb_array_length(e -> 'legs') < 2
      or exists (select from jsonb_to_recordset(e -> 'legs') as l(asset text, units numeric)
        group by l.asset having sum(l.units) <> 0);
  if wrong is not null then
    raise exception 'entry % does not balance', wrong using errcode = 'LG001';
  end if;
  insert into ledger_accounts (tenant_id, id, code, merchant_id, asset, side, opened_at)
    select distinct on (l.account) l.tenant, l.account, l.code, l.merchant, l.asset, l.side, e.at
    from jsonb_to_recordset(entries) as e(at timestamptz, legs jsonb),
      jsonb_to_recordset(e.legs) as l(tenant text, account text, code text, merchant text, asset text, side text)
    where not exists (select from ledger_accounts a where a.id = l.account)
    order by l.account
    on conflict (id) do nothing;
  perform from ledger_accounts a
    where a.id in (select l.account from jsonb_to_recordset(entries) as e(legs jsonb), jsonb_to_recordset(e.legs) as l(account text))
    order by a.id for update;
  select l.account into wrong
    from jsonb_to_recordset(entries) as e(legs jsonb),
      jsonb_to_recordset(e.legs) as l(tenant text, account text, code text, asset text),
      ledger_accounts a
    where a.id = l.account and (a.tenant_id, a.code, a.asset) is distinct from (l.tenant, l.code, l.asset);
  if wrong is not null then
    raise exception 'account % belongs to another tenant or asset', wrong using errcode = 'LG003';
  end if;
  for entry in select e from jsonb_array_elements(entries) as e loop
    if ledger_write(entry) then
      return next entry ->> 'id';
    end if;
  end loop;
end $$;

-- One entry whose accounts are locked; false when it had been posted before.
create function ledger_write(entry jsonb) returns boolean language plpgsql security definer as $$
begin
  insert into ledger_entries (id, kind, object_id, transition, ordinal, charge_id, reverses, posted_at)
    values (entry ->> 'id', entry ->> 'kind', entry ->> 'object', entry ->> 'transition', (entry ->> 'ordinal')::integer,
      entry ->> 'charge', entry ->> 'reverses', (entry ->> 'at')::timestamptz)
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

create function ledger_expect_same(entry jsonb) returns void language plpgsql stable security definer as $$
declare
  before constant text := (select e.id from ledger_entries e where e.object_id = entry ->> 'object'
    and e.transition = entry ->> 'transition' and e.ordinal = (entry ->> 'ordinal')::integer);
begin
  if exists (
    select from (select account_id, units from ledger_postings where entry_id = before) as p
    full join jsonb_to_recordset(entry -> 'legs') as l(account text, units numeric)
      on l.account = p.account_id and l.units = p.units
    where l.account is null or p.account_id is null
  ) then
    raise exception 'entry % says something else than % of the same transition', entry ->> 'id', before using errcode = 'LG002';
  end if;
end $$;

-- The books as a whole: sums and counts of all tenants, and nothing that belongs to one.
create function ledger_check() returns table (asset text, imbalance numeric, accounts bigint, entries bigint, drifted bigint, unbalanced bigint)
language sql stable security definer as $$
  with sums as (
    select p.account_id, sum(p.units) as units, count(*) as postings from ledger_postings p group by p.account_id
  ), wrong as (
    select p.asset, count(*) as count from (
      select entry_id, p.asset from ledger_postings p group by entry_id, p.asset having sum(units) <> 0) as p group by p.asset
  ), per_asset as (
    select p.asset, count(distinct p.entry_id) as entries from ledger_postings p group by p.asset
  )
  select a.asset, sum(a.balance), count(*),
    coalesce((select e.entries from per_asset e where e.asset = a.asset), 0),
    count(*) filter (where a.balance <> coalesce(s.units, 0) or a.postings <> coalesce(s.postings, 0)),
    coalesce((select w.count from wrong w where w.asset = a.asset), 0)
  from ledger_accounts a left join sums s on s.account_id = a.id group by a.asset order by a.asset;
$$;

-- These functions belong to the NOLOGIN lookup role, which alone may write: FORCE row-level security would hold the
-- owner, and the application has no right beyond SELECT on its tenant's rows.
do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  written text;
begin
  execute format('grant select, insert, update on ledger_accounts to %I', lookup);
  execute format('grant select, insert on ledger_entries, ledger_postings to %I', lookup);
  execute format('create policy ledger on ledger_accounts to %I using (true) with check (true)', lookup);
  execute format('create policy ledger on ledger_postings to %I using (true) with check (true)', lookup);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  foreach written in array array['ledger_post(jsonb)', 'ledger_write(jsonb)', 'ledger_expect_same(jsonb)', 'ledger_check()'] loop
    execute format('alter function %s set search_path = %I, pg_temp', written, current_schema());
    execute format('revoke all on function %s from public', written);
    if written in ('ledger_post(jsonb)', 'ledger_check()') then
      execute format('grant execute on function %s to %I', written, app);
    end if;
    execute format('alter function %s owner to %I', written, lookup);
  end loop;
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;

-- What a merchant pays per captured charge: basis points of the amount (rounded half to even) + a fixed part, at least
-- the minimum, never more than the amount. Both parts are in minor units of the charge's currency. The row that names
-- merchant and currency wins over the one that names the merchant, over the one that names the currency, over the default;
-- among equals the latest that has come into effect.
create table fee_schedules (
  id bigint generated always as identity primary key,
  rail text not null collate "C",
  merchant_id text collate "C",
  currency text collate "C",
  basis_points integer not null check (basis_points between 0 and 10000),
  fixed_minor bigint not null check (fixed_minor >= 0),
  minimum_minor bigint not null default 0 check (minimum_minor >= 0),
  effective_from timestamptz not null,
  effective_until timestamptz,
  check (effective_until > effective_from)
);
create index fee_schedules_merchant on fee_schedules (rail, merchant_id, effective_from);
grant select on fee_schedules to :"app";
insert into fee_schedules (rail, basis_points, fixed_minor, effective_from) values ('card', 290, 30, '2026-01-01T00:00:00Z');
