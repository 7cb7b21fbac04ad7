-- A merchant's statement: what moved what it is owed, entry by entry, in the order of their ids, which follow time. Of the transaction's tenant alone;
-- of an entry's other postings it tells the fees, which are the merchant's to know. Units are as the merchant sees them: credits
-- are positive.
create function ledger_statement(merchant text, of_asset text, starts timestamptz, ends timestamptz, after_id text, most integer)
returns table (id text, kind text, object text, transition text, ordinal integer, charge text, posted_at timestamptz, amount numeric, fee numeric)
language sql stable security definer as $$
  select e.id, e.kind, e.object_id, e.transition, e.ordinal, e.charge_id, e.posted_at, -p.units,
    case e.kind when 'capture' then coalesce((
      -- What was kept back: of an invoiced fee nothing was.
      select -sum(f.units) from ledger_postings f where f.entry_id = e.id and f.asset = of_asset
        and (f.account_id like 'platform\_fees:%' or f.account_id like 'merchant\_receivable:%')), 0) else 0 end
  from ledger_postings p join ledger_entries e on e.id = p.entry_id
  where p.account_id = 'merchant_payable:' || merchant || ':' || of_asset
    and p.tenant_id = nullif(current_setting('remit.tenant', true), '')
    and e.posted_at >= starts and e.posted_at < ends and p.entry_id > after_id
  order by p.entry_id limit most
$$;

-- What stood in it before a moment, reckoned back from what stands there now: exact however late something was posted.
create function ledger_owed(merchant text, of_asset text, before timestamptz) returns numeric language sql stable security definer as $$
  select coalesce((select -a.balance from ledger_accounts a where a.id = 'merchant_payable:' || merchant || ':' || of_asset
      and a.tenant_id = nullif(current_setting('remit.tenant', true), '')), 0)
    + coalesce((select sum(p.units) from ledger_postings p join ledger_entries e on e.id = p.entry_id
      where p.account_id = 'merchant_payable:' || merchant || ':' || of_asset
        and p.tenant_id = nullif(current_setting('remit.tenant', true), '') and e.posted_at >= before), 0)
$$;

-- What a time came to, by kind and transition.
create function ledger_statement_sums(merchant text, of_asset text, starts timestamptz, ends timestamptz)
returns table (kind text, transition text, count bigint, amount numeric, fee numeric) language sql stable security definer as $$
  select s.kind, s.transition, count(*), sum(s.amount), sum(s.fee)
  from ledger_statement(merchant, of_asset, starts, ends, '', null) as s group by s.kind, s.transition order by 1, 2
$$;

-- An entry or an account, whoever's postings they are: for the operator.
create function ledger_postings_of(entry text) returns table (tenant text, account text, asset text, units numeric, balance numeric)
language sql stable security definer as $$
  select p.tenant_id, p.account_id, p.asset, p.units, p.balance from ledger_postings p where p.entry_id = entry order by p.account_id
$$;
create function ledger_account_named(account text) returns table (tenant text, code text, merchant text, asset text, balance numeric, postings bigint, opened_at timestamptz)
language sql stable security definer as $$
  select a.tenant_id, a.code, a.merchant_id, a.asset, a.balance, a.postings, a.opened_at from ledger_accounts a where a.id = account
$$;
create function ledger_account_postings(account text, before text, most integer) returns table (entry text, units numeric, balance numeric)
language sql stable security definer as $$
  select p.entry_id, p.units, p.balance from ledger_postings p where p.account_id = account and (before is null or p.entry_id < before)
  order by p.entry_id desc limit most
$$;

-- The books of a time, posting by posting, in pages: for the operator's export.
create function ledger_export(starts timestamptz, ends timestamptz, after_at timestamptz, after_id text, most integer)
returns table (id text, kind text, object text, transition text, ordinal integer, charge text, reverses text, posted_at timestamptz, postings jsonb)
language sql stable security definer as $$
  select e.id, e.kind, e.object_id, e.transition, e.ordinal, e.charge_id, e.reverses, e.posted_at, (
    select jsonb_agg(jsonb_build_object('tenant', p.tenant_id, 'account', p.account_id, 'asset', p.asset, 'units', p.units::text)
      order by p.account_id) from ledger_postings p where p.entry_id = e.id)
  from ledger_entries e
  where e.posted_at >= greatest(starts, after_at) and e.posted_at < ends and (e.posted_at, e.id) > (after_at, after_id)
  order by e.posted_at, e.id limit most
$$;
-- What Stripe calls the thing that an entry is about, where it is one of ours.
create function ledger_source(object text) returns text language sql stable security definer as $$
  select reference from payments where id = object
  union all select reference from refunds where id = object
  union all select reference from disputes where id = object limit 1
$$;
create index ledger_entries_in_time on ledger_entries (posted_at, id);
drop index ledger_entries_posted;

do $$
declare
  app constant name := (select r.name from remit_roles r where r.kind = 'app');
  lookup constant name := (select r.name from remit_roles r where r.kind = 'lookup');
  own text;
begin
  execute format('grant select (id, reference) on payments, refunds, disputes to %I', lookup);
  execute format('create policy lookup on refunds for select to %I using (true)', lookup);
  execute format('grant create on schema %I to %I', current_schema(), lookup);
  foreach own in array array['ledger_statement(text, text, timestamptz, timestamptz, text, integer)',
    'ledger_owed(text, text, timestamptz)', 'ledger_statement_sums(text, text, timestamptz, timestamptz)',
    'ledger_postings_of(text)', 'ledger_account_named(text)', 'ledger_source(text)', 'ledger_account_postings(text, text, integer)',
    'ledger_export(timestamptz, timestamptz, timestamptz, text, integer)'] loop
    execute format('alter function %s set search_path = %I, pg_temp', own, current_schema());
    execute format('revoke all on function %s from public', own);
    execute format('grant execute on function %s to %I', own, app);
    execute format('alter function %s owner to %I', own, lookup);
  end loop;
  execute format('revoke create on schema %I from %I', current_schema(), lookup);
end $$;
