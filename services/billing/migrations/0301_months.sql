-- The monthly close: nothing is posted into a month that is closed, and what it came to is summed up once.

create index ledger_entries_posted on ledger_entries (posted_at);

-- What happened to a merchant in a closed month, by rail and terms. `gross` is what was captured (refunds are negative),
-- `withheld` the fees kept back from it, `invoiced` the fees that are asked for.
create table ledger_sums (
  tenant_id text not null collate "C",
  month text not null collate "C" references ledger_months (month),
  merchant_id text not null collate "C",
  asset text not null collate "C",
  kind text not null collate "C",
  rail text not null collate "C",
  fee_schedule text not null collate "C",
  fee_from_minor bigint not null,
  count bigint not null,
  gross numeric(38, 0) not null,
  withheld numeric(38, 0) not null,
  invoiced numeric(38, 0) not null,
  primary key (tenant_id, month, merchant_id, asset, kind, rail, fee_schedule, fee_from_minor)
);
create index ledger_sums_month on ledger_sums (month, tenant_id);
call remit_tenant_table('ledger_sums');
grant select on ledger_sums to :"app";

do $$
declare
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
begin
  execute format('grant select, insert, update on ledger_sums, fee_volumes, ledger_months to %I', lookup);
  execute format('create policy ledger on ledger_sums to %I using (true) with check (true)', lookup);
  execute format('create policy volumes on fee_volumes for insert to %I with check (true)', lookup);
  perform set_config('remit.owner', current_user, true), set_config('remit.app', (select r.name from remit_roles r where r.kind = 'app'), true);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  execute format('set local role %I', lookup);
end $$;

-- As before, and first: each month that is posted into is held open, all who post together, until the commit. Whoever
-- closes it waits for them, and they find it closed (LG004).
create or replace function ledger_post(entries jsonb) returns setof text language plpgsql security definer as $$
declare
  entry jsonb;
  wrong text;
begin
  perform pg_advisory_xact_lock_shared(1279607117, m.month) from (
    select distinct to_char((e ->> 'at')::timestamptz at time zone 'UTC', 'YYYYMM')::integer as month
    from jsonb_array_elements(entries) as e order by 1) as m;
  select m.month into wrong from ledger_months m where m.month in (
    select to_char((e ->> 'at')::timestamptz at time zone 'UTC', 'YYYY-MM') from jsonb_array_elements(entries) as e) limit 1;
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

-- Closes a month: from the commit on nothing is posted into it. Again, it changes nothing; false when it is not yet over.
create function ledger_close(asked text, at timestamptz) returns boolean language plpgsql security definer as $$
declare
  ends constant timestamptz := (to_timestamp(asked || '-01', 'YYYY-MM-DD')::timestamp at time zone 'UTC') + interval '1 month';
  starts constant timestamptz := to_timestamp(asked || '-01', 'YYYY-MM-DD')::timestamp at time zone 'UTC';
begin
  if at < ends then
    return false;
  end if;
  perform pg_advisory_xact_lock(1279607117, replace(asked, '-', '')::integer);
  insert into ledger_months (month, state, closed_at, summed_to) values (asked, 'closing', ledger_close.at, starts)
    on conflict (month) do nothing;
  return true;
end $$;

-- Sums up the next slice of a closed month, about `most` entries, and keeps how far it came in the same transaction: a crash
-- loses nothing and counts nothing twice. The last slice writes the volumes. True while there is more.
create function ledger_sum(asked text, most integer) returns boolean language plpgsql security definer as $$
declare
  begun ledger_months%rowtype;
  ends timestamptz;
  upto timestamptz;
begin
  select m.* into begun from ledger_months m where m.month = asked and m.state = 'closing' for update;
  if not found then
    return false;
  end if;
  ends := (to_timestamp(asked || '-01', 'YYYY-MM-DD')::timestamp + interval '1 month') at time zone 'UTC';
  select e.posted_at into upto from ledger_entries e
    where e.posted_at >= begun.summed_to and e.posted_at < ends order by e.posted_at offset most limit 1;
  if upto = begun.summed_to then
    -- More entries at one instant than a slice has: all of them.
    select min(e.posted_at) into upto from ledger_entries e where e.posted_at > begun.summed_to and e.posted_at < ends;
  end if;
  upto := coalesce(upto, ends);
  insert into ledger_sums as s (tenant_id, month, merchant_id, asset, kind, rail, fee_schedule, fee_from_minor, count, gross, withheld, invoiced)
    select x.tenant, asked, x.merchant, x.asset, x.kind, x.rail, x.schedule, x.tier, count(*),
      sum(x.fees - x.receivable - x.payable), sum(x.fees - x.receivable), sum(x.receivable)
    from (
      select e.id, e.kind, p.asset, coalesce(e.rail, '') as rail, coalesce(e.fee_schedule, '') as schedule, coalesce(e.fee_from_minor, 0) as tier,
        min(p.tenant_id) filter (where p.tenant_id <> 'platform') as tenant,
        min(split_part(p.account_id, ':', 2)) filter (where p.tenant_id <> 'platform') as merchant,
        coalesce(sum(p.units) filter (where p.account_id like 'merchant\_payable:%'), 0) as payable,
        coalesce(sum(p.units) filter (where p.account_id like 'merchant\_receivable:%'), 0) as receivable,
        -coalesce(sum(p.units) filter (where p.account_id like 'platform\_fees:%'), 0) as fees
      from ledger_entries e join ledger_postings p on p.entry_id = e.id
      where e.posted_at >= begun.summed_to and e.posted_at < upto and e.kind in ('capture', 'refund', 'dispute', 'reversal')
      group by e.id, p.asset
    ) as x
    where x.tenant is not null
    group by x.tenant, x.merchant, x.asset, x.kind, x.rail, x.schedule, x.tier
    on conflict (tenant_id, month, merchant_id, asset, kind, rail, fee_schedule, fee_from_minor) do update
      set count = s.count + excluded.count, gross = s.gross + excluded.gross,
        withheld = s.withheld + excluded.withheld, invoiced = s.invoiced + excluded.invoiced;
  if upto < ends then
    update ledger_months m set summed_to = upto where m.month = asked;
    return true;
  end if;
  insert into fee_volumes (tenant_id, merchant_id, rail, asset, month, captured)
    select s.tenant_id, s.merchant_id, s.rail, s.asset, asked, sum(s.gross) from ledger_sums s
    where s.month = asked and s.kind = 'capture' group by s.tenant_id, s.merchant_id, s.rail, s.asset;
  update ledger_months m set summed_to = ends, state = 'summed' where m.month = asked;
  return false;
end $$;

-- Whose sums a month has, from one tenant on: ids alone.
create function ledger_month_tenants(asked text, beyond text, most integer) returns setof text language sql stable security definer as $$
  select distinct s.tenant_id from ledger_sums s where s.month = asked and s.tenant_id > beyond order by s.tenant_id limit most
$$;

-- Clearing accounts return to nothing, charge by charge. How many charges have not, of those that moved since a moment, and
-- the oldest of them; beside what stands in the accounts.
create function ledger_clearing(since timestamptz) returns table (code text, asset text, balance numeric, waiting bigint, waits_since timestamptz)
language sql stable security definer as $$
  with left_over as (
    select a.code, a.asset, coalesce(e.charge_id, e.object_id) as about, min(e.posted_at) as since
    from ledger_entries e join ledger_postings p on p.entry_id = e.id join ledger_accounts a on a.id = p.account_id
    where e.posted_at >= ledger_clearing.since and a.tenant_id = 'platform' and a.code like '%\_clearing'
    group by 1, 2, 3 having sum(p.units) <> 0
  )
  select a.code, a.asset, sum(a.balance), (select count(*) from left_over l where (l.code, l.asset) = (a.code, a.asset)),
    (select min(l.since) from left_over l where (l.code, l.asset) = (a.code, a.asset))
  from ledger_accounts a where a.tenant_id = 'platform' and a.code like '%\_clearing' group by a.code, a.asset order by 1, 2
$$;

do $$
declare
  app constant name := current_setting('remit.app');
  own text;
begin
  foreach own in array array['ledger_post(jsonb)', 'ledger_close(text, timestamptz)', 'ledger_sum(text, integer)',
    'ledger_month_tenants(text, text, integer)', 'ledger_clearing(timestamptz)'] loop
    execute format('alter function %s set search_path = %I, pg_temp', own, current_schema());
    execute format('revoke all on function %s from public', own);
    execute format('grant execute on function %s to %I', own, app);
  end loop;
  execute format('set local role %I', current_setting('remit.owner'));
  execute format('revoke create on schema %I from %I', current_schema(), (select r.name from remit_roles r where r.kind = 'lookup'));
end $$;
