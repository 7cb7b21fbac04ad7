-- A posting in fewer statements: what the entries name is read from them once, and accounts are locked and compared in one go.
-- What is checked, and in which order rows are locked, is as before.
do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  perform set_config('remit.owner', current_user, true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;

create or replace function ledger_post(entries jsonb) returns setof text language plpgsql security definer as $$
declare
  months constant text[] := array(select distinct to_char((e ->> 'at')::timestamptz at time zone 'UTC', 'YYYY-MM')
    from jsonb_array_elements(entries) as e order by 1);
  named text[];
  owners text[];
  codes text[];
  assets text[];
  entry jsonb;
  wrong text;
begin
  -- Each month that is posted into is held open, all who post together, until the commit. Whoever closes it waits for them, and
  -- they find it closed.
  perform pg_advisory_xact_lock_shared(1279607117, replace(m, '-', '')::integer) from unnest(months) as m;
  select m.month into wrong from ledger_months m where m.month = any(months) limit 1;
  if wrong is not null then
    raise exception 'the month % is closed', wrong using errcode = 'LG004';
  end if;
  select e ->> 'id' into wrong from jsonb_array_elements(entries) as e
    where jsonb_array_length(e -> 'legs') < 2
      or exists (select from jsonb_to_recordset(e -> 'legs') as l(asset text, units numeric)
        group by l.asset having sum(l.units) <> 0);
  if wrong is not null then
    raise exception 'entry % does not balance', wrong using errcode = 'LG001';
  end if;
  select array_agg(l.account), array_agg(l.tenant), array_agg(l.code), array_agg(l.asset) into named, owners, codes, assets
    from jsonb_array_elements(entries) as e,
      jsonb_to_recordset(e -> 'legs') as l(tenant text, account text, code text, asset text);
  if exists (select from unnest(named) as n where not exists (select from ledger_accounts a where a.id = n)) then
    insert into ledger_accounts (tenant_id, id, code, merchant_id, asset, side, opened_at)
      select distinct on (l.account) l.tenant, l.account, l.code, l.merchant, l.asset, l.side, e.at
      from jsonb_to_recordset(entries) as e(at timestamptz, legs jsonb),
        jsonb_to_recordset(e.legs) as l(tenant text, account text, code text, merchant text, asset text, side text)
      where not exists (select from ledger_accounts a where a.id = l.account)
      order by l.account
      on conflict (id) do nothing;
  end if;
  with locked as materialized (
    select a.id, a.tenant_id, a.code, a.asset from ledger_accounts a where a.id = any(named) order by a.id for update
  )
  select n.account into wrong
    from unnest(named, owners, codes, assets) as n(account, tenant, code, asset) left join locked a on a.id = n.account
    where (a.tenant_id, a.code, a.asset) is distinct from (n.tenant, n.code, n.asset);
  if wrong is not null then
    raise exception 'account % belongs to another tenant or asset', wrong using errcode = 'LG003';
  end if;
  for entry in select e from jsonb_array_elements(entries) as e loop
    if ledger_write(entry) then
      return next entry ->> 'id';
    end if;
  end loop;
end $$;

create or replace function ledger_write(entry jsonb) returns boolean language plpgsql security definer as $$
declare
  self constant text := entry ->> 'id';
begin
  insert into ledger_entries (id, kind, object_id, transition, ordinal, charge_id, reverses, posted_at, rail, fee_schedule, fee_from_minor,
      owner_tenant, owner_merchant)
    values (self, entry ->> 'kind', entry ->> 'object', entry ->> 'transition', (entry ->> 'ordinal')::integer,
      entry ->> 'charge', entry ->> 'reverses', (entry ->> 'at')::timestamptz, entry ->> 'rail', entry #>> '{fee,schedule}', (entry #>> '{fee,from}')::bigint,
      entry #>> '{owner,tenant}', entry #>> '{owner,merchant}')
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
    select tenant_id, self, id, asset, units, balance from changed;
  -- The pair of the check before the write: what stands in the table balances, leg for leg.
  if (select coalesce(sum(s.legs), 0) <> jsonb_array_length(entry -> 'legs') or bool_or(s.units <> 0)
      from (select count(*) as legs, sum(p.units) as units from ledger_postings p where p.entry_id = self group by p.asset) as s) then
    raise exception 'entry % was not written as it was asked', self using errcode = 'LG001';
  end if;
  return true;
end $$;

do $$
begin
  execute format('alter function ledger_post(jsonb) set search_path = %I, pg_temp', current_schema());
  execute format('alter function ledger_write(jsonb) set search_path = %I, pg_temp', current_schema());
  execute format('set local role %I', current_setting('remit.owner'));
  execute format('revoke create on schema %I from %I', current_schema(), (select r.name from remit_roles r where r.kind = 'lookup'));
end $$;
